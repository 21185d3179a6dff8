/** The two sets of algorithms as clients meet them, and what the log says of those who share none. */
import { afterEach, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { loadOrCreateHostKeys } from '../../../src/adapters/ssh2/host-keys/files.js';
import type { AlgorithmSet } from '../../../src/domain/algorithm-set.js';
import { until } from '../../../src/contracts/contract.js';
import { temporaryFolder } from '../../support/temporary.js';
import { makePair, openGround, type Ground } from './ground.js';
import { RawClient } from './raw-client.js';

const alice = makePair();
const compatibleKeys = { folder: '' };
let ground: Ground;

async function open(algorithms: AlgorithmSet): Promise<void> {
  compatibleKeys.folder ||= temporaryFolder('host-keys');
  ground = await openGround({ algorithms, hostKeys: loadOrCreateHostKeys(compatibleKeys.folder, algorithms) });
  ground.gateway.platform.register('alice', alice.publicKey);
}

afterEach(() => ground.close());

/** What the server offers, by the name that ssh2's client gives each list. */
async function offered(): Promise<(list: string) => readonly string[]> {
  const lines: string[] = [];
  const client = await RawClient.connect(ground.port, { debug: (line) => lines.push(line) });
  await client.close();
  return (list) => {
    const line = lines.find((text) => text.startsWith(`Handshake: (remote) ${list}: `));
    return line?.split(': ')[2]?.split(',') ?? [];
  };
}

/** How a client that offers only this fares. */
function connectWith(algorithms: object): Promise<string> {
  const client = new ssh2.Client();
  const { port } = ground;
  return new Promise<string>((resolve) => {
    client.on('error', ({ message }) => {
      resolve(message);
    });
    client.on('ready', () => {
      client.end();
      resolve('ready');
    });
    client.connect({ host: '127.0.0.1', port, username: 'git', privateKey: alice.privateKey, algorithms });
  });
}

describe('modern and compatible differ', () => {
  const LISTS = ['KEX method', 'Host key format', 'S->C cipher', 'C->S cipher', 'S->C MAC', 'C->S MAC'];

  test('by exactly what old clients need, each behind all that is better', async () => {
    await open('modern');
    const modern = await offered();
    await ground.close();
    await open('compatible');
    const compatible = await offered();
    const added = LISTS.map((list) => [list, compatible(list).filter((name) => !modern(list).includes(name))]);
    expect(Object.fromEntries(added)).toEqual({
      'KEX method': ['ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521', 'diffie-hellman-group14-sha256'],
      'Host key format': ['ecdsa-sha2-nistp256'],
      'S->C cipher': [],
      'C->S cipher': [],
      'S->C MAC': ['hmac-sha2-256', 'hmac-sha2-512'],
      'C->S MAC': ['hmac-sha2-256', 'hmac-sha2-512'],
    });
    for (const list of LISTS) {
      const shared = modern(list).filter((name) => !name.startsWith('kex-strict'));
      expect(shared.length).toBeGreaterThan(1);
      expect(compatible(list).slice(0, shared.length)).toEqual(shared);
      expect(compatible(list).filter((name) => /sha1|ssh-rsa|ssh-dss|cbc|md5|rc4|arcfour/.test(name))).toEqual([]);
    }
  });
});

describe('a client that shares no algorithm', () => {
  test.each([
    [{ kex: ['ecdh-sha2-nistp256'] }, 'key exchange algorithm'],
    [{ serverHostKey: ['ecdsa-sha2-nistp256'] }, 'host key format'],
    [{ cipher: ['aes256-ctr'], hmac: ['hmac-sha2-256'] }, 'MAC'],
  ])('with the modern set (%j) is told of, and let in by the compatible one', async (only, lacking) => {
    await open('modern');
    await connectWith(only);
    await until(() => ground.observer.ofType('no-common-algorithm').length === 1, 'it is told of');
    const [event] = ground.observer.ofType('no-common-algorithm');
    expect(event).toEqual({
      type: 'no-common-algorithm',
      connection: ground.observer.ofType('connection-opened')[0]?.connection,
      address: '127.0.0.1',
      software: expect.stringMatching(/^ssh2js/),
      lacking,
      algorithms: 'modern',
    });
    await ground.close();
    await open('compatible');
    expect(await connectWith(only)).toBe('ready');
    expect(ground.observer.ofType('no-common-algorithm')).toEqual([]);
  });

  test('even with the compatible set is told of as one that must be updated', async () => {
    await open('compatible');
    for (const only of [
      { kex: ['diffie-hellman-group14-sha1'] },
      { serverHostKey: ['ssh-rsa'] },
      { cipher: ['aes128-cbc'] },
    ]) {
      expect(await connectWith(only)).not.toBe('ready');
    }
    await until(() => ground.observer.ofType('no-common-algorithm').length === 3, 'they are told of');
    const told = ground.observer.ofType('no-common-algorithm').map(({ lacking, algorithms }) => [lacking, algorithms]);
    expect(told).toEqual([
      ['key exchange algorithm', 'compatible'],
      ['host key format', 'compatible'],
      ['cipher', 'compatible'],
    ]);
  });
});
