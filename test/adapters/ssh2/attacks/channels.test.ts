/** Channels (weaknesses 1, 2, 6 and 10 of docs/hardening.md): their packets, their windows and their number. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { channelRefusedLine } from '../../../../src/domain/words/turned-away.js';
import type { ClientChannel } from '../../../../src/ports/client-channel.js';
import { until } from '../../../../src/contracts/contract.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { channelRequest, MESSAGE, message, openSession, Reader, string, uint32 } from '../../../support/ssh-bytes.js';
import { AttackGround, expectTurnedAway, MEBIBYTE, REASON } from './attack-ground.js';
import { Transfer } from './transfer.js';

const HUGE_WINDOW = 0xffff_ffff;
const SMALLEST_PACKET_BYTES = 256;
const LARGEST_PACKET_BYTES = 32 * 1024;
const RESOURCE_SHORTAGE = 4;
const SESSIONS = 10;

let door: AttackGround;
let client: HostileClient;

beforeEach(async () => {
  door = await AttackGround.open();
  client = await door.logIn();
});

afterEach(() => door.close());

/** The channel of the attacker's latest command. */
function latest(): ClientChannel {
  const request = door.inside.gateway.requests.findLast(({ caller }) => caller.user.name === 'mallory');
  if (request === undefined) throw new Error('no request of the attacker');
  return request.channel;
}

/** Tries to open a session. @returns the reason and words of the refusal, or the server's number and grant. */
async function tryToOpen(mine: number, options: Parameters<typeof openSession>[1] = {}) {
  client.send(openSession(mine, options));
  const answer = await client.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION, MESSAGE.CHANNEL_OPEN_FAILURE);
  const reader = new Reader(answer);
  expect(reader.uint32()).toBe(mine);
  if (answer[0] === MESSAGE.CHANNEL_OPEN_FAILURE) return { reason: reader.uint32(), words: reader.text() };
  return { theirs: reader.uint32(), window: reader.uint32() };
}

async function open(mine: number, options: Parameters<typeof openSession>[1] = {}) {
  const opened = await tryToOpen(mine, options);
  if ('reason' in opened) throw new Error(opened.words);
  return opened;
}

const data = (theirs: number, bytes: number) =>
  message(MESSAGE.CHANNEL_DATA, uint32(theirs), string(Buffer.alloc(bytes, 'x')));

describe('a channel of tiny packets', () => {
  test.each([0, 1, SMALLEST_PACKET_BYTES - 1])('of at most %i bytes is not opened', async (packetSize) => {
    // Attack (weakness 1): open a channel with a maximum packet size of 0 and have anything written to it. It costs one
    // log-in, one channel, one command. Bare ssh2 cuts what it writes into pieces of this size, and at 0 it never ends:
    // the whole process stands still at 89 to 96 % CPU until it is killed. gitmouth does not open such a channel.
    expect(await tryToOpen(0, { packetSize, window: HUGE_WINDOW })).toEqual({
      reason: RESOURCE_SHORTAGE,
      words: channelRefusedLine('tiny-packets', SMALLEST_PACKET_BYTES),
    });
    await door.expectHonestServed();
    // Nothing is kept of it: the connection goes on, and the number is free.
    await client.exec((await open(0)).theirs);
  });

  test('of the smallest size, with a window without end, on each of ten channels, starves nobody', async () => {
    // Attack (weakness 2): the same with a maximum of 1 byte, so that every byte becomes a packet, and 4 GiB of window.
    // Bare ssh2: an honest ls-remote took 6.7 to 9.3 s. gitmouth takes no less than 256, and one channel's writing
    // yields to everybody else's.
    door.command = async ({ channel }) => void Transfer.begin(channel);
    client.consume = (payload) => payload[0] === MESSAGE.CHANNEL_DATA;
    for (let mine = 0; mine < SESSIONS; mine++) {
      const { theirs } = await open(mine, { packetSize: SMALLEST_PACKET_BYTES, window: HUGE_WINDOW });
      await client.exec(theirs);
    }
    client.discard();
    const before = client.socket.bytesRead;
    await door.expectHonestServed();
    expect(client.socket.bytesRead - before).toBeGreaterThan(64 * 1024);
  });
});

test('a channel of huge packets gets them no larger than every client must take', async () => {
  // Attack: claim to take packets of 4 GiB, so that one write becomes one packet, built in memory at once.
  let [taken, largest] = [0, 0];
  client.consume = (payload) => {
    if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
    taken += payload.length - 9;
    largest = Math.max(largest, payload.length - 9);
    return true;
  };
  const { theirs } = await open(0, { packetSize: 0xffff_ffff, window: HUGE_WINDOW });
  await client.exec(theirs);
  latest().stdout.write(Buffer.alloc(MEBIBYTE, 'x'));
  await until(() => taken === MEBIBYTE, 'all is sent');
  expect(largest).toBeLessThanOrEqual(LARGEST_PACKET_BYTES);
});

describe('data past the window', () => {
  // Attack (weakness 6): push without regard to the window that was granted. It costs the upload. Bare ssh2 refuses
  // data at a window of exactly 0 only and lets it run below: 146 MB more in memory for 96 MB sent. gitmouth ends the
  // connection at the first byte too many (RFC 4254 5.2).
  test('of a command that does not read ends the connection', async () => {
    const { theirs } = await open(0);
    await client.exec(theirs);
    const channel = latest();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, channel.heldBytes())), 1);
    void client.flood(() => data(theirs, LARGEST_PACKET_BYTES), 3 * 1024);
    await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'window-exceeded').finally(() => clearInterval(watch));
    expect(most).toBeLessThan(3 * MEBIBYTE);
    await door.expectHonestServed();
  });

  test.each([
    ['data', data],
    [
      'data for its standard error',
      (theirs: number, bytes: number) =>
        message(MESSAGE.CHANNEL_EXTENDED_DATA, uint32(theirs), uint32(1), string(Buffer.alloc(bytes, 'x'))),
    ],
  ])('of one byte of %s ends the connection, and up to it none does', async (_what, make) => {
    const { theirs, window } = await open(0);
    const pieces = Math.floor(window / LARGEST_PACKET_BYTES);
    client.send(...Array.from({ length: pieces }, () => make(theirs, LARGEST_PACKET_BYTES)));
    const rest = window - pieces * LARGEST_PACKET_BYTES;
    if (rest > 0) client.send(make(theirs, rest));
    // An answer shows that what came before it was handled.
    client.send(channelRequest(theirs, 'subsystem', true, string('none')));
    await client.next(MESSAGE.CHANNEL_FAILURE);
    expect(client.count(MESSAGE.CHANNEL_WINDOW_ADJUST)).toBe(0);
    client.send(make(theirs, 1));
    await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'window-exceeded');
    await door.expectHonestServed();
  });
});

describe('channels without end', () => {
  const tooMany = { reason: RESOURCE_SHORTAGE, words: channelRefusedLine('too-many-sessions', SESSIONS) };

  test('are opened as far as their number goes, and no further', async () => {
    // Attack (weakness 10): open sessions and leave them. It costs one packet each. Bare ssh2 opened 300 at once, and
    // 30,000 took 54 to 101 MB more. gitmouth opens `sessionsPerConnection` and says why no more.
    for (let mine = 0; mine < SESSIONS; mine++) await open(mine);
    expect(await tryToOpen(SESSIONS)).toEqual(tooMany);
    let refused = 0;
    client.consume = (payload) => {
      if (payload[0] === MESSAGE.CHANNEL_OPEN_FAILURE) refused += 1;
      return true;
    };
    const flooding = client.flood(() => openSession(99), 10_000);
    await door.expectHonestServed();
    await flooding;
    await until(() => refused === 10_000, 'all are refused', undefined, 30_000);
    expect(client.isClosed).toBe(false);
  });

  test('give their places back, whether a command ran on them or not', async () => {
    for (let round = 0; round < 3; round++) {
      const opened = [];
      for (let mine = 0; mine < SESSIONS; mine++) opened.push(await open(mine));
      expect(await tryToOpen(SESSIONS)).toEqual(tooMany);
      for (const { theirs } of opened.slice(5)) await client.exec(theirs);
      for (const { theirs } of opened) {
        client.send(message(MESSAGE.CHANNEL_CLOSE, uint32(theirs)));
        await client.next(MESSAGE.CHANNEL_CLOSE);
      }
    }
  });

  test.each(['direct-tcpip', 'direct-streamlocal@openssh.com', 'x11', 'tun@openssh.com', 'anything', ''])(
    'of the type %p are none',
    async (type) => {
      // Attack: use the door as a way to other machines, or to the files of this one.
      const target = Buffer.concat([string('127.0.0.1'), uint32(22), string('127.0.0.1'), uint32(1)]);
      client.send(openSession(0, { type, data: target }));
      await client.next(MESSAGE.CHANNEL_OPEN_FAILURE);
      await client.exec((await open(0)).theirs);
    },
  );

  test('of one number are one', async () => {
    // Attack: two channels that cannot be told apart, so that one's answers go to the other.
    await open(7);
    expect(await tryToOpen(7)).toEqual({ reason: RESOURCE_SHORTAGE, words: channelRefusedLine('number-in-use', 7) });
  });
});
