/** What a client may send over a session before and after somebody reads it. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '../../../src/contracts/contract.js';
import { turnedAwayLine } from '../../../src/domain/words/turned-away.js';
import { HostileClient } from '../../support/hostile/client.js';
import { channelRequest, message, MESSAGE, Reader, string, uint32 } from '../../support/ssh-bytes.js';
import { makePair, openGround, type Ground } from './ground.js';

const FIRST_WINDOW_BYTES = 64 * 1024;
const FULL_WINDOW_BYTES = 2 * 1024 ** 2;
const PIECE_BYTES = 16 * 1024;

const pair = makePair();
let ground: Ground;
let client: HostileClient;
let channel: number;

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('mallory', pair.publicKey);
  // As one that waits for a lock or a dyno.
  ground.gateway.command = async () => undefined;
  client = await HostileClient.logIn(ground.port, pair);
  channel = await client.open(0);
  await client.exec(channel);
});

afterEach(async () => {
  await client.close();
  await ground.close();
});

/** All that may be sent at first, in pieces; resolves when it has been taken. */
async function fillFirstWindow(): Promise<void> {
  for (let sent = 0; sent < FIRST_WINDOW_BYTES; sent += PIECE_BYTES) {
    client.send(message(MESSAGE.CHANNEL_DATA, uint32(channel), string(Buffer.alloc(PIECE_BYTES))));
  }
  client.send(channelRequest(channel, 'subsystem', true, string('none')));
  await client.next(MESSAGE.CHANNEL_FAILURE);
}

test('a session that nobody reads yet takes 64 KiB, and not a byte more', async () => {
  // Attack: many sessions that wait for a dyno or a lock, each with 2 MiB sent to it.
  await fillFirstWindow();
  expect(client.count(MESSAGE.CHANNEL_WINDOW_ADJUST)).toBe(0);
  client.send(message(MESSAGE.CHANNEL_DATA, uint32(channel), string('x')));
  expect((await client.turnedAway()).words).toBe(turnedAwayLine('window-exceeded'));
});

test('once somebody reads, what was sent comes whole, and the full window is granted', async () => {
  await fillFirstWindow();
  let read = 0;
  ground.gateway.requests[0]?.channel.stdin.on('data', (chunk: Buffer) => (read += chunk.length));
  await until(() => read === FIRST_WINDOW_BYTES, 'all comes that was sent');
  const granted = () =>
    client.received
      .filter((payload) => payload[0] === MESSAGE.CHANNEL_WINDOW_ADJUST)
      .reduce((sum, payload) => sum + new Reader(payload, 5).uint32(), 0);
  await until(() => granted() >= FULL_WINDOW_BYTES, 'the full window is granted');
});
