/** The promises of a dyno session's three streams. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as realTime } from 'node:timers/promises';
import { until, within } from './contract.js';
import { assertDone, echoOf, inDyno, read, write, writeUntilStalled } from './dyno-driver.js';
import type { TransportLack, TransportPromise } from './transport.js';

const MIB = 1024 * 1024;
/** What our own queues may hold. */
const MOST_HELD = 4 * MIB;
/** What may be on its way into a dyno that does not read: with the kernel's pipes, and TCP buffers that grow at will. */
const MOST_ON_ITS_WAY = 16 * MIB;

/** Compared by digest: a failed comparison of megabytes prints megabytes. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  assert.equal(digest(actual), digest(expected), 'the bytes differ');
}

const carrying = (lacks: readonly TransportLack[]): readonly TransportPromise[] => [
  {
    name: '8 MiB of random bytes come through the dyno and back unharmed, and in order',
    run: (harness) =>
      inDyno(harness, echoOf(8 * MIB, lacks), async ({ stdin, stdout }) => {
        const bytes = randomBytes(8 * MIB);
        const echoed = read(stdout);
        await within(pipeline(Readable.from(pieces(bytes, 48_611)), stdin), 'the end of writing', 60_000);
        assertSame(await echoed, bytes);
      }),
  },
  {
    name: 'chunks of one byte, and every value a byte can have, come through unharmed',
    run: (harness) =>
      inDyno(harness, echoOf(1024, lacks), async ({ stdin, stdout }) => {
        const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
        const echoed = read(stdout);
        for (const piece of pieces(bytes, 1)) await write(stdin, piece);
        stdin.end();
        assertSame(await echoed, bytes);
      }),
  },
  {
    name: 'the first bytes pass while more are still to come: nothing waits for the end of input',
    run: (harness) =>
      inDyno(harness, { kind: 'echo' }, async ({ stdin, stdout }) => {
        let heard = '';
        stdout.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
        for (const word of ['one', 'two', 'three']) {
          heard = '';
          stdin.write(word);
          await until(() => heard === word, `the word ${word} is echoed`);
        }
      }),
  },
  {
    name: "ending stdin is the command's end of input, with or without bytes before it",
    needs: 'endOfInput',
    async run(harness) {
      for (const bytes of [0, 5]) {
        await inDyno(harness, { kind: 'count' }, async ({ stdin, stdout }) => {
          const counted = read(stdout);
          stdin.end(Buffer.alloc(bytes));
          assert.equal((await counted).toString().trim(), String(bytes));
        });
      }
    },
  },
  {
    name: 'stdout and stderr end with the command, also when it wrote nothing',
    run: (harness) =>
      inDyno(harness, { kind: 'exit', code: 0 }, async ({ stdout, stderr }) => {
        const [out, err] = await Promise.all([read(stdout), read(stderr)]);
        assert.deepEqual([out.length, err.length], [0, 0]);
      }),
  },
  {
    name: 'standard error comes apart from standard output',
    needs: 'stderr',
    run: (harness) =>
      inDyno(harness, { kind: 'both' }, async ({ stdout, stderr }) => {
        const [out, err] = await Promise.all([read(stdout), read(stderr)]);
        assert.deepEqual([out.toString(), err.toString()], ['out', 'err']);
      }),
  },
  {
    name: 'twenty dynos at once do not mix',
    async run(harness) {
      const one = (bytes: Buffer) =>
        harness.dynoRunning(echoOf(bytes.length, lacks)).then(async (dyno) => {
          const session = await harness.transport.open(dyno, new AbortController().signal);
          const echoed = read(session.stdout);
          session.stdin.end(bytes);
          assertSame(await echoed, bytes);
          await assertDone(harness, session);
          await session.close();
        });
      await Promise.all(Array.from({ length: 20 }, () => one(randomBytes(100_000))));
      assert.deepEqual(await harness.running(), []);
    },
  },
];

const backpressure: readonly TransportPromise[] = [
  {
    name: 'a command that reads nothing stops its writer: writes are no longer taken, and what is held stays bounded',
    run: (harness) =>
      inDyno(harness, { kind: 'sleep' }, async ({ stdin }) => {
        await writeUntilStalled(stdin, MOST_ON_ITS_WAY);
        assert.equal(stdin.write('x'), false);
        assert.ok(stdin.writableLength < MOST_HELD, `${stdin.writableLength} bytes are held`);
      }),
  },
  {
    name: 'nobody reading stops the command: what is held stays bounded, and reading goes on where it stopped',
    run: (harness) =>
      inDyno(harness, { kind: 'flood' }, async ({ stdout }) => {
        stdout.on('readable', () => undefined);
        await until(() => stdout.readableLength > 0, 'the first bytes are there');
        await until(settledLength(stdout), 'the command has stopped writing');
        assert.ok(stdout.readableLength <= MOST_HELD, `${stdout.readableLength} bytes are held`);
        stdout.removeAllListeners('readable');
        let taken = 0;
        stdout.on('data', (chunk: Buffer) => (taken += chunk.length));
        stdout.resume();
        await until(() => taken > 2 * MOST_HELD, 'the command has gone on');
        stdout.pause();
      }),
  },
];

/** Whether what a stream holds was the same ten looks in a row. */
function settledLength(stream: Readable): () => boolean {
  let last = -1;
  let same = 0;
  return () => {
    same = stream.readableLength === last ? same + 1 : 0;
    last = stream.readableLength;
    return same >= 10;
  };
}

/** Output that is larger than a pipe, on each stream the transport tells apart. */
function lateReading(to: 'stdout' | 'stderr'): TransportPromise {
  return {
    name: `whatever was written to ${to} can be read after the exit was told, to the last byte`,
    ...(to === 'stderr' ? { needs: 'stderr' } : {}),
    async run(harness) {
      for (const bytes of [4096, MIB]) {
        await inDyno(harness, { kind: 'write', bytes, to, code: 0 }, async (session) => {
          // The exit may be told before anything is read, and need not be: either way every byte is still there.
          await Promise.race([session.exit.catch(() => undefined), realTime(200)]);
          assertSame(await read(session[to]), Buffer.alloc(bytes, 'x'));
          await assertDone(harness, session);
        });
      }
    },
  };
}

export function transportStreams(lacks: readonly TransportLack[]): readonly TransportPromise[] {
  return [
    {
      name: 'the transport declares what it can do, and that is what the cases below rely on',
      async run({ transport }) {
        for (const ability of ['signals', 'exitStatus', 'stderr', 'pause'] as const) {
          assert.equal(transport.capabilities[ability], !lacks.includes(ability), ability);
        }
      },
    },
    ...carrying(lacks),
    ...backpressure,
    lateReading('stdout'),
    lateReading('stderr'),
  ];
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
