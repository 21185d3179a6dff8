/** Long random streams through a dyno that gives back what it gets, both ways at once: the same bytes, and nothing piles up. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { within } from '../../src/contracts/contract.js';
import type { DynoSession } from '../../src/ports/transport.js';
import { figure, mebibytes } from './figures.js';
import { usedBytes } from './garbage.js';

const MIB = 1024 ** 2;
const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';

export const LONG_STREAM_BYTES = (IS_SOAK ? 1024 : 256) * MIB;
export const LONG_STREAM_LIMIT_MS = IS_SOAK ? 600_000 : 120_000;
export const LONG_STREAM_SAYS = `${LONG_STREAM_BYTES / MIB} MiB come through exactly, both ways at once, and less than 4 MiB of them are held at any time`;

const MOST_HELD_BYTES = 4 * MIB;
/** Of this whole process, in which both ends may be. */
const SLACK_BYTES = 16 * MIB;
/** So often all of it is measured on the way. */
const LOOKS = 4;
const REST_MS = 150;
const PIECE_BYTES = 256 * 1024;

/**
 * @param way through what, for the report.
 * @param session a dyno that gives back `LONG_STREAM_BYTES` as they come.
 * @param greeting what it says before.
 */
export async function passLongStream(way: string, session: DynoSession, greeting = ''): Promise<void> {
  const given = randomStream(LONG_STREAM_BYTES, greeting);
  const heard = createHash('sha256');
  const used = [await usedBytes()];
  let [came, most] = [0, 0];
  const reading = pipeline(session.stdout, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      heard.update(chunk);
      came += chunk.length;
      if (came > (used.length * LONG_STREAM_BYTES) / (LOOKS + 1)) {
        // Who does not read for a moment lets pile up what can.
        await pause(REST_MS);
        used.push(await usedBytes());
      }
      most = Math.max(most, heldBytes(session));
    }
  });
  const both = Promise.all([pipeline(given.stream, session.stdin), reading]);
  await within(both, 'the end of both', LONG_STREAM_LIMIT_MS);
  expect(came).toBe(LONG_STREAM_BYTES + greeting.length);
  expect(heard.digest('hex')).toBe(given.digest());
  const growth = Math.max(...used) - (used[0] ?? 0);
  figure(`${mebibytes(LONG_STREAM_BYTES)} ${way}, both ways at once: most that was held`, mebibytes(most));
  figure(`the same, ${way}: growth of the memory in use`, mebibytes(growth));
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(MOST_HELD_BYTES);
  expect(used.length).toBeGreaterThan(LOOKS);
  expect(growth).toBeLessThan(SLACK_BYTES);
}

/** As random as any, and as fast as a cipher; the digest is of what was given, after the greeting. */
function randomStream(bytes: number, greeting: string): { readonly stream: Readable; readonly digest: () => string } {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const hash = createHash('sha256').update(greeting);
  const zeros = Buffer.alloc(PIECE_BYTES);
  const pieces = function* () {
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      const piece = cipher.update(zeros.subarray(0, Math.min(left, PIECE_BYTES)));
      hash.update(piece);
      yield piece;
    }
  };
  return { stream: Readable.from(pieces()), digest: () => hash.digest('hex') };
}

/** What our own queues hold of it now. */
function heldBytes({ stdin, stdout }: DynoSession): number {
  return stdin.writableLength + stdout.readableLength;
}
