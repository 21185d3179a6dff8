/** Ways to log in without holding the key, each tried on the real server. ssh2 itself would let most of them in. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import ssh2, { type IdentityCallback, type SignCallback } from 'ssh2';
import { until } from '../../../src/contracts/contract.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../../src/domain/admission-policy.js';
import { turnedAwayLine } from '../../../src/domain/words/turned-away.js';
import { makePair, openGround, type Ground, type Pair } from './ground.js';
import { fingerprintOnly, makeBrokenEcdsaKey, makeDsaKey, selfMadeCertificate } from './odd-keys.js';
import { RawClient } from './raw-client.js';
import {
  boolean,
  MESSAGE,
  message,
  named,
  offer,
  openSession,
  proof,
  Reader,
  signedData,
  string,
  type KeyRequest,
} from '../../support/ssh-bytes.js';

const victim = makePair();
const mallory = makePair();
const rsa = makePair('rsa');

let ground: Ground;
let client: RawClient;

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('victim', victim.publicKey);
  ground.gateway.platform.register('mallory', mallory.publicKey);
  client = await RawClient.connect(ground.port);
});

afterEach(async () => {
  await client.close();
  await ground.close();
});

const ofVictim: KeyRequest = { algorithm: 'ssh-ed25519', blob: victim.blob };
const ofMallory: KeyRequest = { algorithm: 'ssh-ed25519', blob: mallory.blob };

/** The whole answer to the requests so far is a failure, for this reason, and nothing can be run. */
async function expectRefused(reason: string): Promise<void> {
  const answer = await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_SUCCESS, MESSAGE.DISCONNECT);
  expect(answer[0]).toBe(MESSAGE.USERAUTH_FAILURE);
  expect(ground.observer.ofType('login-failed').map((event) => event.reason)).toEqual([reason]);
  await expectLockedOut();
}

async function expectLockedOut(): Promise<void> {
  client.send(openSession(0));
  const answer = await client.next(MESSAGE.CHANNEL_OPEN_FAILURE, MESSAGE.CHANNEL_OPEN_CONFIRMATION, MESSAGE.DISCONNECT);
  expect(answer[0]).not.toBe(MESSAGE.CHANNEL_OPEN_CONFIRMATION);
  expect(ground.observer.ofType('login-succeeded')).toEqual([]);
  expect(ground.gateway.connections.list()).toEqual([]);
}

function signed(request: KeyRequest, pair: Pair): Buffer {
  return pair.sign(signedData(client.sessionId, request));
}

test('the control: a signature by the key itself logs in', async () => {
  client.prove(ofVictim, victim);
  await client.next(MESSAGE.USERAUTH_SUCCESS);
  expect(ground.observer.ofType('login-succeeded').map((event) => event.user)).toEqual(['victim']);
});

describe('another user’s key', () => {
  test('offered before one’s own is proven leaves one oneself', async () => {
    // Attack (CVE-2024-45337): the server remembers the last key it approved of, here the victim's, and takes whatever
    // signature comes next as the victim's.
    client.send(offer(ofVictim));
    await client.next(MESSAGE.USERAUTH_PK_OK);
    client.prove(ofMallory, mallory);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    expect(ground.observer.ofType('login-succeeded').map((event) => event.user)).toEqual(['mallory']);
  });

  test('offered right behind the proof of one’s own leaves one oneself', async () => {
    // Attack: the same race from the other side. The offer of the victim's key arrives while the proof of one's own is
    // still being looked up.
    client.send(proof(ofMallory, named('ssh-ed25519', signed(ofMallory, mallory))), offer(ofVictim));
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    expect(ground.observer.ofType('login-succeeded').map((event) => event.user)).toEqual(['mallory']);
  });

  test('offered, then named in a request that one’s own key signed, is refused', async () => {
    // Attack: the request says "the victim's key", and the signature is good, but by another key.
    client.send(offer(ofVictim));
    await client.next(MESSAGE.USERAUTH_PK_OK);
    client.send(proof(ofVictim, named('ssh-ed25519', signed(ofVictim, mallory))));
    await expectRefused('bad-signature');
  });

  test('that an agent offers and cannot sign for is refused', async () => {
    // Attack: the same by an ordinary client with an agent that lies about what it holds.
    class LyingAgent extends ssh2.BaseAgent {
      override getIdentities(done: IdentityCallback): void {
        done(undefined, [victim.blob]);
      }
      override sign(_key: unknown, data: Buffer, _options: unknown, done?: SignCallback): void {
        done?.(undefined, mallory.sign(data));
      }
    }
    const liar = new ssh2.Client();
    const outcome = new Promise<string>((resolve) => {
      liar.on('ready', () => resolve('let in')).on('error', (error) => resolve(error.message));
    });
    const closed = new Promise<void>((resolve) => liar.on('close', () => resolve()));
    liar.connect({ host: '127.0.0.1', port: ground.port, username: 'git', agent: new LyingAgent() });
    expect(await outcome).toBe('All configured authentication methods failed');
    await closed;
    expect(ground.observer.ofType('login-failed').map((event) => event.reason)).toEqual(['bad-signature']);
  });
});

describe('a signature', () => {
  test.each([
    // Attack: ssh2 only asks whether a signature is there; these are there, and say nothing.
    ['of no bytes', () => Buffer.alloc(0)],
    ['that is a name and nothing more', () => string('ssh-ed25519')],
    ['that is a name and no bytes', () => named('ssh-ed25519', Buffer.alloc(0))],
    ['of zeros', () => named('ssh-ed25519', Buffer.alloc(64))],
    ['of random bytes', () => named('ssh-ed25519', randomBytes(64))],
    ['cut by a byte', () => named('ssh-ed25519', signed(ofVictim, victim).subarray(0, 63))],
    ['with a byte more', () => named('ssh-ed25519', Buffer.concat([signed(ofVictim, victim), Buffer.alloc(1)]))],
    ['with one bit changed', () => named('ssh-ed25519', flipped(signed(ofVictim, victim)))],
    ['under another name than the request’s', () => named('rsa-sha2-256', signed(ofVictim, victim))],
  ])('%s is refused', async (_what, make) => {
    client.send(proof(ofVictim, make()));
    await expectRefused('bad-signature');
  });

  test('recorded in another connection is refused', async () => {
    // Attack: a server that the victim once logged in to plays their proof back. The session id in what is signed
    // (RFC 4252 7) makes it worthless anywhere else.
    const request = proof(ofVictim, named('ssh-ed25519', signed(ofVictim, victim)));
    client.send(request);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    await client.close();
    ground.observer.events.length = 0;
    client = await RawClient.connect(ground.port);
    client.send(request);
    await expectRefused('bad-signature');
  });

  test.each([
    // Attack: the victim did sign, but for another account, another service or another key.
    ['for another login name', { ...ofVictim, user: 'root' }],
    ['for another service', { ...ofVictim, service: 'ssh-userauth' }],
    ['for another key', { ...ofVictim, blob: mallory.blob }],
    ['for another algorithm', { ...ofVictim, algorithm: 'rsa-sha2-512' }],
  ])('%s is refused', async (_what, other) => {
    client.send(proof(ofVictim, named('ssh-ed25519', signed(other, victim))));
    await expectRefused('bad-signature');
  });

  test('for a service that is not the connection’s ends the connection', async () => {
    // Attack: what is signed is good, but it asks for something that nobody checks.
    const request = { ...ofVictim, service: 'ssh-userauth' };
    client.prove(request, victim);
    const answer = new Reader(await client.next(MESSAGE.DISCONNECT, MESSAGE.USERAUTH_SUCCESS));
    expect(answer.uint32()).toBe(7);
    expect(ground.observer.ofType('login-succeeded')).toEqual([]);
  });

  test('by a key whose point is not on its curve is no proof', async () => {
    // Attack: verifying by such a key is an error, and neither true nor false; ssh2 answers an Error, which is truthy.
    const { blob, signature } = makeBrokenEcdsaKey();
    ground.gateway.platform.register('victim', fingerprintOnly(blob));
    const request = { algorithm: 'ecdsa-sha2-nistp256', blob };
    client.send(proof(request, named(request.algorithm, signature)));
    await expectRefused('bad-key');
  });
});

describe('a key under a wrong or weak name', () => {
  // In each of these the signature is good, by the key in the blob over this very request, and the platform knows the
  // key: only the name and the type are wrong.
  const dsa = makeDsaKey();
  const smallRsa = makePair('rsa', 1024);
  const other = { hash: undefined as string | undefined };

  test.each([
    // Attack: a label that makes the server check by other rules than the key's own.
    { what: 'an Ed25519 key as RSA', algorithm: 'rsa-sha2-256', key: mallory, ...other },
    { what: 'an RSA key as Ed25519', algorithm: 'ssh-ed25519', key: rsa, hash: 'sha512' },
    { what: 'an RSA key as ECDSA-like text', algorithm: 'rsa-sha2-1024', key: rsa, hash: 'sha512' },
    // Attack: a plain key that claims to live in hardware and to have been touched.
    { what: 'a plain key as a security key', algorithm: 'sk-ssh-ed25519@openssh.com', key: mallory, ...other },
    { what: 'a plain key as a certificate', algorithm: 'ssh-ed25519-cert-v01@openssh.com', key: mallory, ...other },
    // Attack: signatures by SHA-1 can be forged by collision.
    { what: 'an RSA key with SHA-1', algorithm: 'ssh-rsa', key: rsa, hash: 'sha1' },
    { what: 'a DSA key', algorithm: 'ssh-dss', key: dsa, ...other },
    // Attack: a key that can be factored.
    { what: 'an RSA key of 1024 bits', algorithm: 'rsa-sha2-256', key: smallRsa, hash: 'sha256' },
    { what: 'no name at all', algorithm: '', key: mallory, ...other },
  ])('$what is refused, proven and offered', async ({ algorithm, key, hash }) => {
    const { blob } = key;
    ground.gateway.platform.register('victim', fingerprintOnly(blob));
    const request = { algorithm, blob };
    const signature = key.sign(signedData(client.sessionId, request), hash);
    client.send(offer(request));
    expect((await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_PK_OK))[0]).toBe(MESSAGE.USERAUTH_FAILURE);
    client.send(proof(request, named(algorithm, signature)));
    await expectRefused('bad-key');
    expect(ground.gateway.lookups).toEqual([]);
  });

  test.each([
    // Attack: bytes that one reader takes for one key and another reader for another.
    ['a type and nothing more', string('ssh-ed25519')],
    ['bytes behind the key', Buffer.concat([victim.blob, Buffer.alloc(1)])],
    ['a key cut by a byte', victim.blob.subarray(0, -1)],
    ['a key as text', Buffer.from(`ssh-ed25519 ${victim.blob.toString('base64')}`)],
    ['a private key', Buffer.from(mallory.privateKey)],
    ['a length beyond the end', Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), victim.blob])],
    ['no bytes', Buffer.alloc(0)],
  ])('a blob of %s is refused', async (_what, blob) => {
    const request = { algorithm: 'ssh-ed25519', blob };
    for (const key of [victim, mallory]) {
      client.send(proof(request, named('ssh-ed25519', signed(request, key))));
      expect((await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_SUCCESS))[0]).toBe(51);
    }
    expect(ground.observer.ofType('login-failed').map((event) => event.reason)).toEqual(['bad-key', 'bad-key']);
    await expectLockedOut();
  });
});

describe('a certificate', () => {
  const certificate: KeyRequest = {
    algorithm: 'ssh-ed25519-cert-v01@openssh.com',
    blob: selfMadeCertificate(mallory, 'victim'),
  };

  test('made by oneself is refused, though its key is registered and signs', async () => {
    // Attack: a certificate that says "victim", signed by its own holder, whose key opens another account. The platform
    // that looked up the key alone would let it in.
    client.send(offer(certificate));
    expect((await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_PK_OK))[0]).toBe(MESSAGE.USERAUTH_FAILURE);
    client.send(proof(certificate, named('ssh-ed25519', signed(certificate, mallory))));
    await expectRefused('unknown-key');
  });

  test('that is refused leaves its key as good as it was', async () => {
    client.send(offer(certificate), offer(ofMallory));
    await client.next(MESSAGE.USERAUTH_FAILURE);
    await client.next(MESSAGE.USERAUTH_PK_OK);
    client.prove(ofMallory, mallory);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    expect(ground.observer.ofType('login-succeeded').map((event) => event.user)).toEqual(['mallory']);
    const [{ caller } = { caller: undefined }] = ground.gateway.connections.list();
    expect(caller).not.toHaveProperty('certificate');
  });

  test('is not let in by the answer about its key', async () => {
    // Attack: the look-up of the key is remembered, and is not one of the certificate.
    client.send(offer(ofMallory));
    await client.next(MESSAGE.USERAUTH_PK_OK);
    client.send(proof(certificate, named('ssh-ed25519', signed(certificate, mallory))));
    await expectRefused('unknown-key');
  });

  test('whose holder signs by the certificate’s name, or that names its key’s, is refused', async () => {
    // Attack: three names, in the request, the blob and the signature, of which not all say the same.
    ground.gateway.certified = () => ({ name: 'mallory' });
    const signature = signed(certificate, mallory);
    const plainName = { ...certificate, algorithm: 'ssh-ed25519' };
    const certificateName = { ...ofMallory, algorithm: certificate.algorithm };
    client.send(
      proof(certificate, named(certificate.algorithm, signature)),
      proof(plainName, named('ssh-ed25519', signed(plainName, mallory))),
      proof(certificateName, named('ssh-ed25519', signed(certificateName, mallory))),
    );
    for (let refused = 0; refused < 3; refused++) {
      expect((await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_SUCCESS))[0]).toBe(51);
    }
    const reasons = ground.observer.ofType('login-failed').map((event) => event.reason);
    expect(reasons).toEqual(['bad-signature', 'bad-key', 'bad-key']);
    await expectLockedOut();
  });
});

test('an offer that ends before its key is refused like any unknown key', async () => {
  // Attack: ssh2 hands on what was missing as undefined, and whoever reads it fails.
  const whole = offer(ofVictim);
  client.send(whole.subarray(0, whole.length - victim.blob.length - 4));
  await client.next(MESSAGE.USERAUTH_FAILURE);
  expect(ground.observer.ofType('problem')).toEqual([]);
  await expectLockedOut();
});

describe('a method that proves no key', () => {
  const head = (method: string) =>
    message(MESSAGE.USERAUTH_REQUEST, string('git'), string('ssh-connection'), string(method));
  const hostbased = Buffer.concat([
    ...[head('hostbased'), string('ssh-ed25519'), string(victim.blob), string('localhost'), string('victim')],
    string(named('ssh-ed25519', randomBytes(64))),
  ]);

  test.each([
    // Attack: what other servers let in by an oversight.
    ['none', head('none')],
    ['password', Buffer.concat([head('password'), boolean(false), string('')])],
    ['password, to change it', Buffer.concat([head('password'), boolean(true), string(''), string('')])],
    ['keyboard-interactive', Buffer.concat([head('keyboard-interactive'), string(''), string('')])],
    ['hostbased', hostbased],
  ])('%s is answered with "publickey"', async (_method, request) => {
    client.send(request);
    const answer = new Reader(await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_SUCCESS, 60));
    expect([answer.text(), answer.byte()]).toEqual(['publickey', 0]);
    expect(ground.gateway.lookups).toEqual([]);
    await expectLockedOut();
  });

  test('the client’s own word that it has logged in is none', async () => {
    // Attack (CVE-2018-10933): the client sends the server's answer.
    client.send(message(MESSAGE.USERAUTH_SUCCESS));
    await expectLockedOut();
  });
});

test('offers without end open nothing, ask about each key once, and end the connection', async () => {
  // Attack: hope that one of many questions is taken for an answer.
  const unknown = { algorithm: 'ssh-ed25519', blob: makePair().blob };
  for (let round = 0; round < DEFAULT_ADMISSION_LIMITS.offers / 2; round++) {
    client.send(offer(ofVictim));
    await client.next(MESSAGE.USERAUTH_PK_OK);
    client.send(offer(unknown));
    await client.next(MESSAGE.USERAUTH_FAILURE);
  }
  client.send(offer(ofVictim));
  const disconnect = new Reader(await client.next(MESSAGE.DISCONNECT));
  expect([disconnect.uint32(), disconnect.text()]).toEqual([14, turnedAwayLine('too-many-offers')]);
  expect(client.types()).not.toContain(MESSAGE.USERAUTH_SUCCESS);
  expect(ground.gateway.lookups).toHaveLength(2);
  // Of the offers there is one line, at the end of the connection.
  await until(() => ground.observer.ofType('login-failed').length > 0, 'the line of the offers');
  expect(ground.observer.ofType('login-failed')).toMatchObject([{ reason: 'no-login' }]);
});

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[10] = (changed[10] ?? 0) ^ 1;
  return changed;
}
