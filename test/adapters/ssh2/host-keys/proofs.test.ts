/** Host keys announced and proven (OpenSSH's PROTOCOL 2.5), as a client of no library sees it. */
import { createPublicKey, verify } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { DEFAULT_ADMISSION_LIMITS } from '../../../../src/domain/admission-policy.js';
import { addNextHostKey } from '../../../../src/adapters/ssh2/host-keys/rotation.js';
import { loadHostKeys, loadOrCreateHostKeys, type HostKey } from '../../../../src/adapters/ssh2/host-keys/files.js';
import { until } from '../../../../src/contracts/contract.js';
import { HostileClient } from '../../../support/hostile/client.js';
import { boolean, message, MESSAGE, Reader, string } from '../../../support/ssh-bytes.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { makePair, NO_PROXIES, openGround, type Ground } from '../ground.js';

const ANNOUNCEMENT = 'hostkeys-00@openssh.com';
const PROVE = 'hostkeys-prove-00@openssh.com';
const ada = makePair();

/** A current key of each type, and a next one. */
let keys: readonly HostKey[];
let ground: Ground;
const clients: HostileClient[] = [];

beforeAll(() => {
  const folder = temporaryFolder('host-keys');
  loadOrCreateHostKeys(folder, 'compatible');
  addNextHostKey([folder, 'compatible'], { type: 'ed25519' });
  keys = loadHostKeys(folder, 'compatible');
});

beforeEach(async () => {
  ground = await openGround({ hostKeys: keys, algorithms: 'compatible' });
  ground.gateway.platform.register('ada', ada.publicKey);
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await ground.close();
});

async function logIn(hostKey: readonly string[] = ['ssh-ed25519']): Promise<HostileClient> {
  const client = await HostileClient.logIn(ground.port, ada, { offer: { hostKey } });
  clients.push(client);
  return client;
}

function blobsOf(list: readonly HostKey[]): readonly Buffer[] {
  return list.map(({ blob }) => blob);
}

/** The strings of a message from some place on. */
function stringsFrom(payload: Buffer, at: number): readonly Buffer[] {
  const reader = new Reader(payload, at);
  const found: Buffer[] = [];
  for (let end = at; end < payload.length;) {
    const next = reader.string();
    found.push(next);
    end += 4 + next.length;
  }
  return found;
}

function request(blobs: readonly Buffer[], wantReply = true): Buffer {
  return message(MESSAGE.GLOBAL_REQUEST, string(PROVE), boolean(wantReply), ...blobs.map(string));
}

/** The answer to a request for proofs of these; undefined for a no. */
async function proofs(client: HostileClient, blobs: readonly Buffer[]): Promise<readonly Buffer[] | undefined> {
  client.send(request(blobs));
  const answer = await client.next(MESSAGE.REQUEST_SUCCESS, MESSAGE.REQUEST_FAILURE);
  return answer[0] === MESSAGE.REQUEST_SUCCESS ? stringsFrom(answer, 1) : undefined;
}

/** By which algorithm a signature proves a key to this client; undefined when it does not. */
function provenBy(client: HostileClient, blob: Buffer, signature: Buffer): string | undefined {
  const [name = Buffer.alloc(0), made = Buffer.alloc(0)] = stringsFrom(signature, 0);
  const data = Buffer.concat([string(PROVE), string(client.sessionId), string(blob)]);
  const algorithm = name.toString();
  return isSignature(algorithm, blob, data, made) ? algorithm : undefined;
}

function isSignature(algorithm: string, blob: Buffer, data: Buffer, made: Buffer): boolean {
  const parsed = ssh2.utils.parseKey(blob);
  if (parsed instanceof Error) throw parsed;
  const key = createPublicKey(parsed.getPublicPEM());
  switch (algorithm) {
    case 'ssh-ed25519':
      return verify(null, data, key, made);
    case 'rsa-sha2-256':
      return verify('sha256', data, key, made);
    case 'rsa-sha2-512':
      return verify('sha512', data, key, made);
    case 'ecdsa-sha2-nistp256': {
      const numbers = stringsFrom(made, 0).map((digits) => Buffer.concat([Buffer.alloc(32), digits]).subarray(-32));
      return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat(numbers));
    }
    default:
      return false;
  }
}

describe('whoever has logged in', () => {
  test('is told of all host keys, the next one too, and need not answer', async () => {
    const client = await logIn();
    const told = await client.next(MESSAGE.GLOBAL_REQUEST);
    const reader = new Reader(told);
    expect(reader.text()).toBe(ANNOUNCEMENT);
    expect(reader.byte()).toBe(0);
    expect(stringsFrom(told, 1 + 4 + ANNOUNCEMENT.length + 1)).toEqual(blobsOf(keys));
    expect(keys.map(({ algorithm, state }) => `${algorithm} ${state}`)).toEqual([
      ...['ssh-ed25519 current', 'ssh-rsa current', 'ecdsa-sha2-nistp256 current', 'ssh-ed25519 next'],
    ]);
  });

  test.each([
    ['ssh-ed25519', 'rsa-sha2-512'],
    ['rsa-sha2-512', 'rsa-sha2-512'],
    ['rsa-sha2-256', 'rsa-sha2-256'],
    ['ecdsa-sha2-nistp256', 'rsa-sha2-512'],
  ])('over a key exchange signed with %s has each proven, that of RSA with %s', async (hostKey, rsa) => {
    const client = await logIn([hostKey]);
    const blobs = blobsOf(keys);
    const given = (await proofs(client, blobs)) ?? [];
    expect(given.map((signature, at) => provenBy(client, blobs[at] ?? Buffer.alloc(0), signature))).toEqual([
      ...['ssh-ed25519', rsa, 'ecdsa-sha2-nistp256', 'ssh-ed25519'],
    ]);
  });

  test('has an ECDSA key proven whatever its numbers begin with', async () => {
    // One number in two begins with a bit that makes it longer, and one in 256 with a zero byte that makes it shorter.
    const [ecdsa] = keys.filter(({ algorithm }) => algorithm === 'ecdsa-sha2-nistp256');
    const blob = ecdsa?.blob ?? Buffer.alloc(0);
    for (let count = 0; count < 16; count++) {
      const client = await logIn();
      const [signature = Buffer.alloc(0)] = (await proofs(client, [blob])) ?? [];
      expect(provenBy(client, blob, signature)).toBe('ecdsa-sha2-nistp256');
      await client.close();
    }
  });

  test('may ask for some, in any order, and for the others later', async () => {
    const client = await logIn();
    const [first = Buffer.alloc(0), second = Buffer.alloc(0), , fourth = Buffer.alloc(0)] = blobsOf(keys);
    for (const blobs of [[fourth, second], [first]]) {
      const given = (await proofs(client, blobs)) ?? [];
      expect(given.map((signature, at) => provenBy(client, blobs[at] ?? Buffer.alloc(0), signature))).not.toContain(
        undefined,
      );
      expect(given).toHaveLength(blobs.length);
    }
  });
});

describe('a no is the answer', () => {
  const [mine = Buffer.alloc(0), other] = [makePair().blob, Buffer.from('no key')];

  test.each([
    ['for a key that is not this server’s', () => [mine]],
    ['for one of several that is not', () => [...blobsOf(keys).slice(0, 2), mine]],
    ['for what is no key', () => [other]],
    ['for none', () => []],
    ['for one twice', () => [0, 1, 0].map((at) => blobsOf(keys)[at] ?? other)],
    ['for more than there are', () => [...blobsOf(keys), ...blobsOf(keys)]],
  ])('%s; and costs no signature', async (_what, blobs) => {
    const client = await logIn();
    expect(await proofs(client, blobs())).toBeUndefined();
    expect(await proofs(client, blobsOf(keys))).toHaveLength(keys.length);
  });

  test('for a request that is cut short', async () => {
    const client = await logIn();
    for (const bytes of [1, 4, 5]) {
      client.send(request(blobsOf(keys)).subarray(0, -bytes));
      expect((await client.next(MESSAGE.REQUEST_SUCCESS, MESSAGE.REQUEST_FAILURE))[0]).toBe(MESSAGE.REQUEST_FAILURE);
    }
  });

  test('for all that is asked again, so that a flood has one signature made by each key', async () => {
    const client = await logIn();
    const asked = 500;
    client.send(...Array.from({ length: asked }, () => request(blobsOf(keys))));
    await until(() => client.count(MESSAGE.REQUEST_FAILURE) >= asked - 1, 'all are answered');
    expect(client.count(MESSAGE.REQUEST_SUCCESS)).toBe(1);
    client.send(...blobsOf(keys).map((blob) => request([blob])));
    await until(() => client.count(MESSAGE.REQUEST_FAILURE) >= asked - 1 + keys.length, 'those are answered');
    expect(client.count(MESSAGE.REQUEST_SUCCESS)).toBe(1);
  });
});

test('proofs that nobody wants to be told of are not made, and answers keep their order', async () => {
  const client = await logIn();
  client.send(request(blobsOf(keys), false));
  client.send(HostileClient.globalRequest(), request(blobsOf(keys)), HostileClient.globalRequest());
  const types: (number | undefined)[] = [];
  for (let count = 0; count < 3; count++) {
    types.push((await client.next(MESSAGE.REQUEST_SUCCESS, MESSAGE.REQUEST_FAILURE))[0]);
  }
  expect(types).toEqual([MESSAGE.REQUEST_FAILURE, MESSAGE.REQUEST_SUCCESS, MESSAGE.REQUEST_FAILURE]);
});

test('a stranger who asks is told of no key and given no proof, and let go', async () => {
  const client = await HostileClient.connect(ground.port);
  clients.push(client);
  client.send(request(blobsOf(keys)));
  expect(await client.turnedAway()).toMatchObject({ reason: 2 });
  expect(client.count(MESSAGE.REQUEST_SUCCESS) + client.count(MESSAGE.GLOBAL_REQUEST)).toBe(0);
});

test('a connection keeps the host keys that it began with, also with new keys of the exchange; the next one has the new', async () => {
  const client = await logIn();
  const folder = temporaryFolder('other-host-keys');
  const others = loadOrCreateHostKeys(folder, 'compatible');
  ground.server.prepareReload({
    hostKeys: others,
    algorithms: 'compatible',
    limits: DEFAULT_ADMISSION_LIMITS,
    proxies: NO_PROXIES,
  })();
  await client.exchangeKeys({ hostKey: ['ssh-ed25519'] });
  const shown = client.received.filter(([type]) => type === MESSAGE.KEX_ECDH_REPLY);
  expect(shown.map((reply) => new Reader(reply).string())).toEqual([keys[0]?.blob, keys[0]?.blob]);
  expect(await proofs(client, blobsOf(others))).toBeUndefined();
  expect(await proofs(client, blobsOf(keys))).toHaveLength(keys.length);

  const later = await logIn();
  const [reply] = later.received.filter(([type]) => type === MESSAGE.KEX_ECDH_REPLY);
  expect(new Reader(reply ?? Buffer.alloc(5)).string()).toEqual(others[0]?.blob);
  expect(await proofs(later, blobsOf(keys).slice(0, 1))).toBeUndefined();
  expect(await proofs(later, blobsOf(others))).toHaveLength(others.length);
});
