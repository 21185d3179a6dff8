/** Pings of the transport (OpenSSH's PROTOCOL 1.9), sent by a client of no library. How they are bounded: attacks/output.test.ts. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { DEFAULT_ADMISSION_LIMITS, type AdmissionLimits } from '../../../src/domain/admission-policy.js';
import { HostileClient } from '../../support/hostile/client.js';
import { message, MESSAGE, Reader, string, uint32 } from '../../support/ssh-bytes.js';
import { makePair, openGround, type Ground } from './ground.js';

const ada = makePair();
let ground: Ground;
let client: HostileClient;

afterEach(async () => {
  await client.close();
  await ground.close();
});

async function logIn(limits: Partial<AdmissionLimits> = {}): Promise<void> {
  ground = await openGround({ limits: { ...DEFAULT_ADMISSION_LIMITS, ...limits } });
  ground.gateway.platform.register('ada', ada.publicKey);
  client = await HostileClient.logIn(ground.port, ada);
}

function ping(data: string | Buffer): Buffer {
  return message(MESSAGE.PING, string(data));
}

async function pong(): Promise<string> {
  return new Reader(await client.next(MESSAGE.PONG)).text();
}

test('pings are advertised in their first version (RFC 8308)', async () => {
  await logIn();
  const [told = Buffer.alloc(5)] = client.received.filter(([type]) => type === MESSAGE.EXT_INFO);
  const reader = new Reader(told);
  const extensions = Array.from({ length: reader.uint32() }, () => [reader.text(), reader.text()]);
  expect(Object.fromEntries(extensions)).toMatchObject({
    'ping@openssh.com': '0',
    'server-sig-algs': expect.stringContaining('ssh-ed25519'),
  });
});

describe('a ping', () => {
  test('is answered with what is in it, in order, among all else', async () => {
    await logIn();
    const large = 'x'.repeat(30_000);
    client.send(ping('one'), HostileClient.globalRequest(), ping(''), ping(large));
    expect(await pong()).toBe('one');
    await client.next(MESSAGE.REQUEST_FAILURE);
    expect(await pong()).toBe('');
    expect(await pong()).toBe(large);
  });

  test('during a key exchange that the server has begun is answered after it', async () => {
    await logIn({ rekeyMs: 300 });
    client.isDeafToKeyExchange = true;
    await client.next(MESSAGE.KEXINIT);
    client.send(ping('one'), ping('two'));
    client.beginKeyExchange();
    await client.goOnExchangingKeys();
    expect([await pong(), await pong()]).toEqual(['one', 'two']);
    const types = client.received.map(([type]) => type);
    expect(types.indexOf(MESSAGE.PONG)).toBeGreaterThan(types.lastIndexOf(MESSAGE.NEWKEYS));
  });

  test.each([
    ['without data', message(MESSAGE.PING)],
    ['that is cut short', message(MESSAGE.PING, uint32(9), Buffer.from('x'))],
    ['with something behind its data', message(MESSAGE.PING, string('x'), string('y'))],
  ])('%s ends the connection', async (_what, payload) => {
    await logIn();
    client.send(payload);
    expect(await client.turnedAway()).toMatchObject({ reason: 2 });
    expect(client.count(MESSAGE.PONG)).toBe(0);
  });
});
