/** Long random streams through the rendezvous, both ways at once: byte by byte the same, and nothing piles up. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { RendezvousTransport } from '../../../src/adapters/openruko/rendezvous-transport.js';
import { never, within } from '../../../src/contracts/contract.js';
import type { DynoSession } from '../../../src/ports/transport.js';
import { figure, mebibytes } from '../../support/figures.js';
import { usedBytes } from '../../support/garbage.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { DynoHost } from '../../support/openruko/dyno-host.js';
import { needs } from '../../support/programs.js';
import { openGround } from './ground.js';

const { test } = needs('openssl');

const MIB = 1024 ** 2;
const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const BYTES = (IS_SOAK ? 1024 : 256) * MIB;
const LIMIT_MS = IS_SOAK ? 600_000 : 120_000;
const MOST_HELD_BYTES = 4 * MIB;
/** Of this whole process, in which both ends are. */
const SLACK_BYTES = 16 * MIB;
/** So often all of it is measured on the way. */
const LOOKS = 4;
const REST_MS = 150;
const PIECE_BYTES = 256 * 1024;
/** Git's first word; a dyno's connection is none of git's without it. */
const FLUSH = '0000';

/** As random as any, and as fast as a cipher; the digest is of what was given. */
function randomStream(bytes: number): { readonly stream: Readable; readonly digest: () => string } {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const hash = createHash('sha256').update(FLUSH);
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

test(
  `${BYTES / MIB} MiB come through exactly, both ways at once, and less than 4 MiB of them are held at any time`,
  async () => {
    const { identity, trust } = openGround();
    const host = await DynoHost.start({ identity });
    const settings = { port: host.port, serviceKey: SERVICE_KEY, trust, connectMs: 5_000, firstWordMs: 10_000 };
    try {
      // No end of input reaches the command: it counts.
      const id = host.take(['sh', '-c', `printf ${FLUSH}; exec head -c ${BYTES}`]);
      const link = { kind: 'rendezvous', host: '127.0.0.1', service: 'git-upload-pack' } as const;
      const session = await new RendezvousTransport(settings).open({ id, link }, never());
      const given = randomStream(BYTES);
      const [heard, used] = [createHash('sha256'), [await usedBytes()]];
      let [came, most] = [0, 0];
      const reading = pipeline(session.stdout, async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          heard.update(chunk);
          came += chunk.length;
          if (came > (used.length * BYTES) / (LOOKS + 1)) {
            // Who does not read for a moment lets pile up what can.
            await pause(REST_MS);
            used.push(await usedBytes());
          }
          most = Math.max(most, heldBytes(session));
        }
      });
      await within(Promise.all([pipeline(given.stream, session.stdin), reading]), 'the end of both', LIMIT_MS);
      expect(came).toBe(BYTES + FLUSH.length);
      expect(heard.digest('hex')).toBe(given.digest());
      const growth = Math.max(...used) - (used[0] ?? 0);
      figure(`${mebibytes(BYTES)} through the rendezvous, both ways at once: most that was held`, mebibytes(most));
      figure('the same: growth of the memory in use, of both ends', mebibytes(growth));
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(MOST_HELD_BYTES);
      expect(used.length).toBeGreaterThan(LOOKS);
      expect(growth).toBeLessThan(SLACK_BYTES);
      await session.close();
    } finally {
      await host.stop();
    }
  },
  LIMIT_MS,
);
