/** Logging in as it is meant to be, and how the door says no. Forgeries have a file of their own. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Fault } from '../../../src/domain/fault.js';
import { until } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { makePair, openGround, type Ground } from './ground.js';
import { generateKey, openssh } from './openssh.js';
import { RawClient } from './raw-client.js';
import {
  MESSAGE,
  message,
  named,
  offer,
  proof,
  Reader,
  signedData,
  string,
  type KeyRequest,
} from '../../support/ssh-bytes.js';

const alice = makePair();
const stranger = makePair();
const ofAlice: KeyRequest = { algorithm: 'ssh-ed25519', blob: alice.blob };
const ofStranger: KeyRequest = { algorithm: 'ssh-ed25519', blob: stranger.blob };

let ground: Ground;
const clients: RawClient[] = [];

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('alice', alice.publicKey);
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await ground.close();
});

async function connect(to: Ground = ground): Promise<RawClient> {
  const client = await RawClient.connect(to.port);
  clients.push(client);
  return client;
}

function events<T extends Parameters<Ground['observer']['ofType']>[0]>(type: T) {
  return ground.observer.ofType(type);
}

describe('a log-in', () => {
  test('is told with who it is, by which key, from where and with what', async () => {
    const client = await connect();
    client.prove({ ...ofAlice, user: 'anything' }, alice);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    const [event] = events('login-succeeded');
    expect(event).toMatchObject({
      user: 'alice',
      fingerprint: alice.fingerprint,
      address: '127.0.0.1',
      login: 'anything',
      software: 'ssh2js1.17.0',
      keyExchange: 'curve25519-sha256@libssh.org',
    });
    const [{ caller } = { caller: undefined }] = ground.gateway.connections.list();
    expect(caller).toMatchObject({ user: { name: 'alice' }, key: alice.publicKey, connection: { login: 'anything' } });
  });

  test('works with a key that is known after others that are not', async () => {
    const client = await connect();
    client.send(message(MESSAGE.USERAUTH_REQUEST, string('git'), string('ssh-connection'), string('none')));
    await client.next(MESSAGE.USERAUTH_FAILURE);
    client.send(offer(ofStranger));
    await client.next(MESSAGE.USERAUTH_FAILURE);
    client.prove(ofStranger, stranger);
    await client.next(MESSAGE.USERAUTH_FAILURE);
    client.send(offer(ofAlice));
    await client.next(MESSAGE.USERAUTH_PK_OK);
    client.prove(ofAlice, alice);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    expect(events('login-failed')).toMatchObject([{ reason: 'unknown-key', fingerprint: stranger.fingerprint }]);
  });

  test('asks about each key once, however often it is offered and proven', async () => {
    const client = await connect();
    for (const request of [ofStranger, ofAlice, ofStranger, ofAlice]) {
      client.send(offer(request));
      await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_PK_OK);
    }
    client.prove(ofAlice, alice);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    expect(ground.gateway.lookups).toEqual([stranger.fingerprint, alice.fingerprint]);
  });

  test('may be asked for without waiting for the answers, which come in order', async () => {
    // RFC 4252 5.1. ssh2 by itself would forget the proof, and the client would wait for ever.
    const client = await connect();
    const signature = named('ssh-ed25519', alice.sign(signedData(client.sessionId, ofAlice)));
    client.send(offer(ofStranger), offer(ofAlice), offer(ofStranger), proof(ofAlice, signature));
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    const { USERAUTH_FAILURE, USERAUTH_PK_OK, USERAUTH_SUCCESS } = MESSAGE;
    const answers = client.types().filter((type) => type >= 50 && type < 80);
    expect(answers).toEqual([USERAUTH_FAILURE, USERAUTH_PK_OK, USERAUTH_FAILURE, USERAUTH_SUCCESS]);
  });

  test('that is asked for many times at once ends the connection', async () => {
    const client = await connect();
    ground.gateway.authenticator.trouble.stall();
    client.send(...Array.from({ length: 12 }, () => offer(ofAlice)));
    const disconnect = new Reader(await client.next(MESSAGE.DISCONNECT));
    expect([disconnect.uint32(), disconnect.text()]).toEqual([2, 'Too many log-in requests at once.']);
  });

  test.each(['rsa-sha2-256', 'rsa-sha2-512'])('with RSA is approved of as %s when asked so', async (algorithm) => {
    // Go's x/crypto gives up when it asked for rsa-sha2-* and is told ssh-rsa.
    const rsa = makePair('rsa');
    ground.gateway.platform.register('rita', rsa.publicKey);
    const client = await connect();
    client.send(offer({ algorithm, blob: rsa.blob }));
    const approved = new Reader(await client.next(MESSAGE.USERAUTH_PK_OK));
    expect(approved.text()).toBe(algorithm);
    expect(approved.string()).toEqual(rsa.blob);
    client.prove({ algorithm, blob: rsa.blob }, rsa, algorithm.replace('rsa-sha2-', 'sha'));
    await client.next(MESSAGE.USERAUTH_SUCCESS);
  });
});

describe('when it cannot be known whose key it is', () => {
  const outage = new Fault('GM_UNAVAILABLE', 'identify', 'the platform does not answer', {
    cause: new Error('ECONNREFUSED 192.0.2.1'),
  });

  /** What the client is told, from the request on. */
  async function told(client: RawClient) {
    const banner = new Reader(await client.next(MESSAGE.USERAUTH_BANNER)).text();
    const disconnect = new Reader(await client.next(MESSAGE.DISCONNECT));
    return { banner, reason: disconnect.uint32(), words: disconnect.text() };
  }

  test.each([
    ['offered', (client: RawClient) => client.send(offer(ofAlice))],
    ['proven', (client: RawClient) => client.prove(ofAlice, alice)],
  ])('a key that is %s is answered with words and "service not available", not with a no', async (_how, ask) => {
    ground.gateway.authenticator.trouble.failWith(outage);
    const client = await connect();
    ask(client);
    const { banner, reason, words } = await told(client);
    const [{ connection = '' } = {}] = events('fault');
    expect(banner).toBe(
      'Your key could not be checked just now.\n' +
        'This is a fault on our side and not a refusal: try again in a moment.\n' +
        `Connection ${connection}.\n`,
    );
    expect(reason).toBe(7);
    expect(words).toBe(banner.trim());
    expect(client.types()).not.toContain(MESSAGE.USERAUTH_FAILURE);
    expect(events('login-failed')).toEqual([]);
    expect(events('fault')).toMatchObject([
      { fault: { code: 'GM_UNAVAILABLE', stage: 'identify', cause: 'ECONNREFUSED 192.0.2.1' } },
    ]);
    expect(banner).not.toContain('192.0.2.1');
  });

  test('what the client sent behind the request is not listened to any more', async () => {
    // RFC 4253 11.1: after a disconnect nothing is accepted. ssh2 by itself would go on and let this client in.
    ground.gateway.authenticator.trouble.failWith(outage);
    const client = await connect();
    const signature = named('ssh-ed25519', alice.sign(signedData(client.sessionId, ofAlice)));
    client.send(offer(ofStranger), proof(ofAlice, signature));
    await until(() => events('fault').length > 0, 'the outage is noticed');
    ground.gateway.authenticator.trouble.clear();
    await until(() => client.isClosed, 'the connection is closed');
    expect(ground.gateway.lookups).toEqual([stranger.fingerprint]);
    expect(events('login-succeeded')).toEqual([]);
  });

  test('because of a bug, the client is told the same and the operator of a problem', async () => {
    const bug = new TypeError('x is not a function');
    ground.gateway.authenticator.trouble.failWith(bug);
    const client = await connect();
    client.send(offer(ofAlice));
    expect((await told(client)).reason).toBe(7);
    expect(events('problem')).toMatchObject([{ message: 'log-in failed by a bug', error: bug }]);
    expect(events('login-failed')).toEqual([]);
  });

  test('and the client leaves meanwhile, the question is given up and nobody is told of a fault', async () => {
    ground.gateway.authenticator.trouble.stall();
    const client = await connect();
    client.send(offer(ofAlice));
    await until(() => ground.gateway.lookups.length > 0, 'the key is looked up');
    client.socket.end();
    await until(() => events('connection-closed').length > 0, 'the connection is closed');
    expect([...events('fault'), ...events('problem'), ...events('login-failed')]).toEqual([]);
  });

  needs('ssh', 'ssh-keygen').test('OpenSSH shows the words and does not say "permission denied"', async () => {
    ground.gateway.authenticator.trouble.failWith(outage);
    const key = await generateKey('-t', 'ed25519');
    const { code, stderr } = await openssh(ground, key.path);
    expect(code).toBe(255);
    expect(stderr).toContain('Your key could not be checked just now.');
    expect(stderr).not.toMatch(/permission denied/i);
  });
});

describe('where one login name is enforced', () => {
  beforeEach(async () => {
    await ground.close();
    ground = await openGround({ enforcedLogin: 'deploy' });
    ground.gateway.platform.register('alice', alice.publicKey);
  });

  test('that name lets in', async () => {
    const client = await connect();
    client.prove({ ...ofAlice, user: 'deploy' }, alice);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
  });

  test('another is refused, told once which it is, and no key is looked up', async () => {
    const client = await connect();
    for (const request of [ofStranger, ofAlice]) {
      client.send(offer({ ...request, user: 'root' }));
      await client.next(MESSAGE.USERAUTH_FAILURE);
    }
    client.prove({ ...ofAlice, user: 'root' }, alice);
    await client.next(MESSAGE.USERAUTH_FAILURE);
    const banners = client.received.filter(([type]) => type === MESSAGE.USERAUTH_BANNER);
    expect(banners.map((banner) => new Reader(banner).text())).toEqual([
      "Log in as 'deploy': ssh://deploy@…/<app>.git\n",
    ]);
    expect(events('login-failed').map((event) => event.reason)).toEqual(['wrong-login', 'wrong-login', 'wrong-login']);
    expect(ground.gateway.lookups).toEqual([]);
  });
});

const { test: withSsh } = needs('ssh', 'ssh-keygen');
const RSA_2048 = ['-t', 'rsa', '-b', '2048'];
withSsh.each([
  { key: 'Ed25519', type: ['-t', 'ed25519'], options: [] },
  { key: 'ECDSA P-256', type: ['-t', 'ecdsa', '-b', '256'], options: [] },
  { key: 'ECDSA P-384', type: ['-t', 'ecdsa', '-b', '384'], options: [] },
  { key: 'ECDSA P-521', type: ['-t', 'ecdsa', '-b', '521'], options: [] },
  { key: 'RSA', type: RSA_2048, options: [] },
  { key: 'RSA by SHA-256', type: RSA_2048, options: ['-o', 'PubkeyAcceptedAlgorithms=rsa-sha2-256'] },
  { key: 'RSA by SHA-512', type: RSA_2048, options: ['-o', 'PubkeyAcceptedAlgorithms=rsa-sha2-512'] },
])('OpenSSH logs in with $key', async ({ type, options }) => {
  const key = await generateKey(...type);
  ground.gateway.platform.register('olivia', key.publicKey);
  const { code, stdout, stderr } = await openssh(ground, key.path, { options });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `olivia ${key.fingerprint}\n`, stderr: '' });
});

withSsh('OpenSSH with an RSA key that is told to sign by SHA-1 is refused', async () => {
  const key = await generateKey(...RSA_2048);
  ground.gateway.platform.register('olivia', key.publicKey);
  const { code, stderr } = await openssh(ground, key.path, { options: ['-o', 'PubkeyAcceptedAlgorithms=ssh-rsa'] });
  expect({ code, refused: stderr.includes('Permission denied (publickey)') }).toEqual({ code: 255, refused: true });
});
