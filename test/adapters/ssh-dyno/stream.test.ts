/** A long random stream through a dyno behind OpenSSH's server, both ways at once; and one that stands still. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { DynoSession } from '../../../src/ports/transport.js';
import { never, until } from '../../../src/contracts/contract.js';
import { LONG_STREAM_LIMIT_MS, LONG_STREAM_SAYS, passLongStream } from '../../support/long-stream.js';
import { median } from '../../support/machine.js';
import { needs } from '../../support/programs.js';
import { Sshd } from '../../support/ssh-dyno/sshd.js';
import { clientKey, dynoAt, MIB, running } from './ground.js';

const { describe, test } = needs('sshd', 'bwrap');

const PIECE_BYTES = 64 * 1024;
/** What V8 and the allocator take now and then, whatever is held. */
const SLACK_BYTES = 64 * MIB;
/** In all our queues: two windows, and what streams read ahead. */
const MOST_HELD_BYTES = 4 * MIB;

/** A stream that no two runs have alike, cheap to compare: its pieces are cut out of random bytes. */
class RandomStream {
  static readonly #POOL_BYTES = 16 * MIB;
  readonly #pool = randomBytes(RandomStream.#POOL_BYTES);
  /** What came back so far, and was right. */
  receivedBytes = 0;

  piece(index: number): Buffer {
    const at = (index * 104_729) % (RandomStream.#POOL_BYTES - PIECE_BYTES);
    return this.#pool.subarray(at, at + PIECE_BYTES);
  }

  async writeTo(session: DynoSession, count: number): Promise<void> {
    for (let index = 0; index * PIECE_BYTES < count; index += 1)
      if (!session.stdin.write(this.piece(index))) await once(session.stdin, 'drain');
    session.stdin.end();
  }

  /** @throws Error at the first byte that is not the one that was sent. */
  check(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const within = this.receivedBytes % PIECE_BYTES;
      const expected = this.piece(Math.floor(this.receivedBytes / PIECE_BYTES)).subarray(within);
      const bytes = Math.min(expected.length, chunk.length - at);
      if (!chunk.subarray(at, at + bytes).equals(expected.subarray(0, bytes)))
        throw new Error(`other bytes came back after ${this.receivedBytes}`);
      this.receivedBytes += bytes;
      at += bytes;
    }
  }
}

const heldBytes = ({ stdin, stdout, stderr }: DynoSession) =>
  stdin.writableLength + stdout.readableLength + stderr.readableLength;

async function residentBytes(): Promise<number> {
  const readings: number[] = [];
  for (let n = 0; n < 9; n += 1) {
    readings.push(process.memoryUsage.rss());
    await sleep(20);
  }
  return median(readings);
}

describe('a stream through a dyno', () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await Sshd.start(clientKey().publicKey);
  });
  afterAll(() => sshd.stop());

  const open = () => running('exec cat').open(dynoAt(sshd), never());

  test(
    LONG_STREAM_SAYS,
    async () => {
      const session = await open();
      await passLongStream('through a dyno over SSH', session);
      expect(await session.exit).toEqual({ kind: 'code', code: 0 });
      await session.close();
    },
    LONG_STREAM_LIMIT_MS,
  );

  test('stands still when nobody reads it, with little held, and goes on where it stopped', async () => {
    const session = await open();
    const stream = new RandomStream();
    const before = await residentBytes();
    let written = false;
    const writing = stream.writeTo(session, 32 * MIB).then(() => (written = true));
    session.stdout.once('readable', () => undefined);
    await until(() => session.stdout.readableLength > 0, 'the first bytes are back');
    await sleep(1_500);
    const resident = await residentBytes();
    expect(written).toBe(false);
    expect(heldBytes(session)).toBeLessThan(MOST_HELD_BYTES);
    expect(resident - before).toBeLessThan(SLACK_BYTES / 4);
    for await (const chunk of session.stdout) stream.check(chunk as Buffer);
    await writing;
    expect(stream.receivedBytes).toBe(32 * MIB);
    await session.close();
  });
});
