/** A long random stream through a dyno behind OpenSSH's server, both ways at once; and one that stands still. */
import { createCipheriv, createHash, randomBytes, type Hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { DynoSession } from '../../../src/ports/transport.js';
import { never, until } from '../../../src/contracts/contract.js';
import { write } from '../../../src/contracts/dyno-driver.js';
import { figure, mebibytes } from '../../support/figures.js';
import { median } from '../../support/machine.js';
import { needs } from '../../support/programs.js';
import { Sshd } from '../../support/ssh-dyno/sshd.js';
import { clientKey, dynoAt, MIB, running } from './ground.js';

const { describe, test } = needs('sshd', 'bwrap');

const STREAM_BYTES = (process.env['GITMOUTH_SOAK'] === '1' ? 1024 : 256) * MIB;
const PIECE_BYTES = 256 * 1024;
/** What V8 and the allocator take now and then, whatever is held. */
const SLACK_BYTES = 64 * MIB;
/** In all our queues: two windows, and what streams read ahead. */
const MOST_HELD_BYTES = 4 * MIB;
const LIMIT_MS = 300_000;

/** Bytes that no two runs have alike, as fast as the processor makes them. */
async function writeRandom(session: DynoSession, count: number, hash: Hash): Promise<void> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(PIECE_BYTES);
  for (let written = 0; written < count; written += PIECE_BYTES) {
    const piece = cipher.update(zeros);
    hash.update(piece);
    await write(session.stdin, piece);
  }
  session.stdin.end();
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

  /** Sends so much and takes it back. @returns the most that was held, and the rates. */
  async function pass(bytes: number): Promise<{ most: number; perSecond: number; resident: number }> {
    const session = await open();
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    const since = performance.now();
    const writing = writeRandom(session, bytes, sent);
    let [count, most] = [0, 0];
    const resident: number[] = [];
    for await (const chunk of session.stdout) {
      count += (chunk as Buffer).length;
      received.update(chunk as Buffer);
      most = Math.max(most, heldBytes(session));
      if (count % (4 * MIB) < (chunk as Buffer).length) resident.push(process.memoryUsage.rss());
    }
    await writing;
    const perSecond = (bytes / (performance.now() - since)) * 1000;
    expect([count, received.digest('hex')]).toEqual([bytes, sent.digest('hex')]);
    expect(await session.exit).toEqual({ kind: 'code', code: 0 });
    await session.close();
    return { most, perSecond, resident: median(resident) };
  }

  test(
    `of ${STREAM_BYTES / MIB} MiB comes back byte for byte, and memory stays flat`,
    async () => {
      // Warm: everything is loaded, and the allocator has what it needs.
      await pass(32 * MIB);
      const before = await residentBytes();
      const { most, perSecond, resident } = await pass(STREAM_BYTES);
      figure('a stream through a dyno over SSH, both ways: a second', mebibytes(perSecond));
      figure(
        'a stream through a dyno over SSH: growth of the resident memory, as a median',
        mebibytes(resident - before),
      );
      expect(most).toBeLessThan(MOST_HELD_BYTES);
      expect(resident - before).toBeLessThan(SLACK_BYTES);
    },
    LIMIT_MS,
  );

  test('stands still when nobody reads it, with little held, and goes on where it stopped', async () => {
    const session = await open();
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    const before = await residentBytes();
    let written = false;
    const writing = writeRandom(session, 32 * MIB, sent).then(() => (written = true));
    session.stdout.once('readable', () => undefined);
    await until(() => session.stdout.readableLength > 0, 'the first bytes are back');
    await sleep(1_500);
    const resident = await residentBytes();
    expect(written).toBe(false);
    expect(heldBytes(session)).toBeLessThan(MOST_HELD_BYTES);
    expect(resident - before).toBeLessThan(SLACK_BYTES / 4);
    for await (const chunk of session.stdout) received.update(chunk as Buffer);
    await writing;
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    await session.close();
  });
});
