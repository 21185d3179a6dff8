/** The control: our hostile client can behave. Were it turned away for its own mistakes, no attack would prove a thing. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '../../../../src/contracts/contract.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { MESSAGE, message, Reader, string, uint32 } from '../../../support/ssh-bytes.js';
import { AttackGround, MEBIBYTE } from './attack-ground.js';

let door: AttackGround;

beforeEach(async () => {
  door = await AttackGround.open();
  door.command = async ({ channel }) => {
    channel.stdin.pipe(channel.stdout);
  };
});

afterEach(() => door.close());

/** Sends bytes to a command that sends them back. @returns what came back. */
async function echoed(client: HostileClient, theirs: number, bytes: Buffer): Promise<Buffer> {
  let back = Buffer.alloc(0);
  client.consume = (payload) => {
    if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
    back = Buffer.concat([back, new Reader(payload, 5).string()]);
    return true;
  };
  client.send(message(MESSAGE.CHANNEL_DATA, uint32(theirs), string(bytes)));
  await until(() => back.length >= bytes.length, 'all comes back');
  return back;
}

test.each([
  ['AES-GCM', { cipher: ['aes128-gcm@openssh.com'] }],
  ['AES-CTR with encrypt-then-MAC', { cipher: ['aes256-ctr'] }],
  ['no strict key exchange', { kex: ['curve25519-sha256'] }],
])('logs in and talks to a command by %s, also after key exchanges', async (_how, offer) => {
  const client = await door.logIn({ offer });
  const theirs = await client.open();
  await client.exec(theirs, 'echo');
  for (let exchange = 0; exchange < 3; exchange++) {
    const bytes = randomBytes(20_000);
    expect(await echoed(client, theirs, bytes)).toEqual(bytes);
    await client.exchangeKeys(offer);
  }
  expect(client.exchanges).toBe(4);
});

test('comes from the address it chooses', async () => {
  await door.connect({ from: '127.0.0.77' });
  expect(door.inside.observer.ofType('connection-opened')).toMatchObject([{ address: '127.0.0.77' }]);
});

test('that stops reading leaves the output in the hands of the server', async () => {
  const client = await door.logIn();
  const theirs = await client.open(0, { window: 0xffff_ffff });
  const bytes = randomBytes(16 * MEBIBYTE);
  const got: Buffer[] = [];
  let taken = 0;
  client.consume = (payload) => {
    if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
    got.push(payload.subarray(9));
    taken += payload.length - 9;
    return true;
  };
  door.command = async () => undefined;
  await client.exec(theirs, 'write');
  client.pause();
  door.inside.gateway.requests[0]?.channel.stdout.write(bytes);
  await until(() => door.unsentBytes(client) > 0, 'the output piles up');
  client.resume();
  await until(() => taken === bytes.length, 'all is taken');
  expect(Buffer.concat(got).equals(bytes)).toBe(true);
});

test('knows an honest user from an attacker', async () => {
  await door.expectHonestServed();
  expect(door.inside.observer.ofType('connection-opened')[0]).toMatchObject({ address: '127.0.0.2' });
});
