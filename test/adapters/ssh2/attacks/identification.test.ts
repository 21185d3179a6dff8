/** The first line (weakness 13 of docs/hardening.md; RFC 4253 4.2): in any pieces, and of no more than 255 bytes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { HostileClient } from '../../../support/hostile/client.js';
import { MESSAGE } from '../../../support/ssh-bytes.js';
import { AttackGround, expectTurnedAway, REASON } from './attack-ground.js';

/** Between two pieces, so that they arrive as two. */
const PIECE_MS = 3;
const LONGEST_LINE_BYTES = 255;

let door: AttackGround;

beforeEach(async () => {
  door = await AttackGround.open();
});

afterEach(() => door.close());

async function sendInPieces(client: HostileClient, text: string, size: number): Promise<void> {
  for (let at = 0; at < text.length && !client.isClosed; at += size) {
    client.raw(text.slice(at, at + size));
    await sleep(PIECE_MS);
  }
}

/** So long with its line end. */
function line(bytes: number): string {
  return 'SSH-2.0-long '.padEnd(bytes - 2, 'x');
}

async function expectLogsIn(client: HostileClient): Promise<void> {
  await client.exchangeKeys();
  client.requestService();
  client.prove({ algorithm: 'ssh-ed25519', blob: door.key.blob }, door.key);
  await client.next(MESSAGE.USERAUTH_SUCCESS);
}

describe('a good line', () => {
  // No attack but a slow link: bare ssh2 keeps only the first piece, and closes on a line that comes in three or more.
  test.each([1, 7])('in pieces of %i bytes is taken', async (size) => {
    const client = await door.dial();
    client.knownAs('SSH-2.0-slow_1.0 with a comment');
    await sendInPieces(client, 'SSH-2.0-slow_1.0 with a comment\r\n', size);
    await expectLogsIn(client);
  });

  test.each([
    ['of 255 bytes', line(LONGEST_LINE_BYTES)],
    ['of the years when both versions were spoken', 'SSH-1.99-old'],
  ])('%s is taken', async (_what, text) => {
    const client = await door.dial();
    client.identify(text);
    await expectLogsIn(client);
  });

  test('with the first message right behind it, in odd pieces, is taken', async () => {
    const client = await door.dial();
    const packet = client.sealedKexInit();
    client.knownAs('SSH-2.0-eager');
    const bytes = Buffer.concat([Buffer.from('SSH-2.0-eager\r\n'), packet]).toString('latin1');
    for (let at = 0; at < bytes.length; at += 11) {
      client.raw(Buffer.from(bytes.slice(at, at + 11), 'latin1'));
      await sleep(PIECE_MS);
    }
    await client.goOnExchangingKeys();
    client.requestService();
    client.prove({ algorithm: 'ssh-ed25519', blob: door.key.blob }, door.key);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
  });
});

describe('a bad line', () => {
  // Attack: a line without end, in many small pieces. It costs a trickle. Bare ssh2 takes as much as comes (17 KiB to
  // 1 MiB in six runs, by luck of the segmentation). gitmouth counts to 255 bytes, says what is wrong and closes.
  test.each([
    ['of 256 bytes', `${line(LONGEST_LINE_BYTES + 1)}\r\n`],
    ['of 255 bytes that has not ended', line(LONGEST_LINE_BYTES + 2)],
    ['that is none of SSH', 'GET / HTTP/1.1\r\n'],
    ['of SSH 1', 'SSH-1.5-old\r\n'],
    ['without a name', 'SSH-2.0-\r\n'],
    ['with a zero byte', 'SSH-2.0-a\0b\r\n'],
  ])('%s is turned away', async (_what, text) => {
    const client = await door.dial();
    client.raw(text);
    await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'bad-identification');
    expect(client.serverIdentification).toMatch(/^SSH-2\.0-/);
    await door.expectHonestServed();
  });

  test.each([1, 50])('without end, in pieces of %i bytes, is not read on', async (size) => {
    const client = await door.dial();
    const sending = sendInPieces(client, 'x'.repeat(64 * 1024), size);
    await client.closed();
    await sending;
    expect(door.serverSide(client).bytesRead).toBeLessThan(2 * LONGEST_LINE_BYTES);
    await door.expectHonestServed();
  });
});
