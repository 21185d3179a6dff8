/** What every client channel promises, seen from both of its ends. */
import assert from 'node:assert/strict';
import type { Readable, Writable } from 'node:stream';
import type { SignalName } from '../domain/dyno.js';
import { isDeparture } from '../domain/session-end.js';
import type { Verdict } from '../domain/verdict.js';
import type { ClientChannel } from '../ports/client-channel.js';
import { clientChannelOrder } from './client-channel-order.js';
import { casesOf, until, within, type ContractCase, type Harness, type Promised } from './contract.js';

/** The client's own end of the channel. */
export interface ClientEnd {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** How it came out; undefined when the client left before it was told. */
  readonly exit: Promise<Verdict['exit'] | undefined>;
  signal(name: string): void;
  /** Hangs up. */
  leave(): void;
}

export interface ClientChannelHarness extends Harness {
  readonly channel: ClientChannel;
  readonly client: ClientEnd;
}

const MEBIBYTE = 1024 ** 2;
/** More than any channel may hold, so that someone must wait. */
const LARGE = 16 * MEBIBYTE;
const HELD_LIMIT = 4 * MEBIBYTE;
const ALL_WELL: Verdict = { words: '', exit: { code: 0 } };

export function clientChannelContract(open: () => Promise<ClientChannelHarness>): readonly ContractCase[] {
  return casesOf(open, [], [...streams, ...verdicts, ...endings, ...clientChannelOrder]);
}

const streams: readonly Promised<ClientChannelHarness>[] = [
  {
    name: 'what the client sends arrives unchanged, and its end of input after it',
    async run({ channel, client }) {
      client.stdin.end(pattern(MEBIBYTE));
      assert.ok((await within(allOf(channel.stdin), 'the input')).equals(pattern(MEBIBYTE)));
    },
  },
  {
    name: 'standard output and standard error reach the client unchanged and apart',
    async run({ channel, client }) {
      const [output, errors] = [allOf(client.stdout), allOf(client.stderr)];
      channel.stdout.write(pattern(MEBIBYTE));
      channel.stderr.write('apart');
      channel.stdout.write('last');
      await within(channel.finish(ALL_WELL), 'the finish');
      assert.ok((await within(output, 'the output')).equals(Buffer.concat([pattern(MEBIBYTE), Buffer.from('last')])));
      assert.equal((await within(errors, 'the errors')).toString(), 'apart');
    },
  },
  {
    name: 'a client that does not read slows the writer, and little is held for it meanwhile',
    async run({ channel, client }) {
      const writing = { taken: 0 };
      const all = write(channel.stdout, LARGE, writing);
      const held = await heldWhenStill(channel, writing);
      assert.ok(writing.taken < LARGE / 2, `${writing.taken} of ${LARGE} bytes were taken unread`);
      assert.ok(held < HELD_LIMIT, `${held} bytes are held`);
      const output = allOf(client.stdout);
      client.stderr.resume();
      await within(all, 'the writing');
      await within(channel.finish(ALL_WELL), 'the finish');
      assert.ok((await within(output, 'the output')).equals(pattern(LARGE)));
    },
  },
  {
    name: 'a reader that does not read slows the client, and little is held for it meanwhile',
    async run({ channel, client }) {
      const writing = { taken: 0 };
      const all = write(client.stdin, LARGE, writing).then(() => client.stdin.end());
      const held = await heldWhenStill(channel, writing);
      assert.ok(held < HELD_LIMIT, `${held} bytes are held`);
      assert.ok((await within(allOf(channel.stdin), 'the input')).equals(pattern(LARGE)));
      await within(all, 'the writing');
    },
  },
  {
    name: 'the signals that a client may send are told, in order, and no others',
    async run({ channel, client }) {
      const told: SignalName[] = [];
      channel.onSignal((name) => told.push(name));
      for (const name of ['TERM', 'SEGV', 'INT', 'NONSENSE', 'HUP', 'STOP', 'USR1']) client.signal(name);
      await until(() => told.length >= 4, 'the signals arrive');
      assert.deepEqual(told, ['TERM', 'INT', 'HUP', 'USR1']);
    },
  },
];

const verdicts: readonly Promised<ClientChannelHarness>[] = [
  ...[{ code: 0 }, { code: 127 }, { signal: 'KILL' } as const, { signal: 'XCPU' } as const].map((exit) => ({
    name: `the client is told of ${JSON.stringify(exit)}`,
    async run({ channel, client }: ClientChannelHarness) {
      discard(client);
      await within(channel.finish({ words: '', exit }), 'the finish');
      assert.deepEqual(await within(client.exit, 'the exit'), exit);
    },
  })),
  {
    name: 'last words come after everything that was written before',
    async run({ channel, client }) {
      const [output, errors] = [allOf(client.stdout), allOf(client.stderr)];
      channel.stdout.write(pattern(MEBIBYTE));
      channel.stderr.write('first, ');
      await within(channel.finish({ words: 'last', exit: { code: 1 } }), 'the finish');
      assert.equal((await within(errors, 'the errors')).toString(), 'first, last');
      assert.equal((await within(output, 'the output')).length, MEBIBYTE);
    },
  },
  {
    name: 'only the first verdict counts',
    async run({ channel, client }) {
      const errors = allOf(client.stderr);
      client.stdout.resume();
      await within(
        Promise.all([
          channel.finish({ words: 'one', exit: { code: 1 } }),
          channel.finish({ words: 'two', exit: { code: 2 } }),
        ]),
        'both finishes',
      );
      assert.deepEqual(await within(client.exit, 'the exit'), { code: 1 });
      assert.equal((await within(errors, 'the errors')).toString(), 'one');
    },
  },
  {
    name: 'input that nobody read does not keep a verdict from the client',
    async run({ channel, client }) {
      client.stdin.on('error', () => undefined);
      client.stdin.write(pattern(MEBIBYTE));
      const errors = allOf(client.stderr);
      client.stdout.resume();
      await within(channel.finish({ words: 'refused', exit: { code: 1 } }), 'the finish');
      assert.deepEqual(await within(client.exit, 'the exit'), { code: 1 });
      assert.equal((await within(errors, 'the errors')).toString(), 'refused');
    },
  },
];

const endings: readonly Promised<ClientChannelHarness>[] = [
  {
    name: 'a client that leaves is gone, with a departure as the reason',
    async run({ channel, client }) {
      assert.equal(channel.gone.aborted, false);
      client.leave();
      await until(() => channel.gone.aborted, 'the client is gone');
      assert.ok(isDeparture(channel.gone.reason));
      assert.equal(channel.gone.reason.reason, 'client-left');
    },
  },
  {
    name: 'after it has left, writes and reads end, and a verdict is no error',
    async run({ channel, client }) {
      for (const stream of [channel.stdin, channel.stdout, channel.stderr]) stream.on('error', () => undefined);
      client.leave();
      await until(() => channel.gone.aborted, 'the client is gone');
      const failed = await within(
        new Promise<boolean>((resolve) => channel.stdout.write('x', (error) => resolve(Boolean(error)))),
        'the write',
      );
      assert.equal(failed, true);
      await until(() => channel.stdin.destroyed || channel.stdin.readableEnded, 'the input is over');
      await within(channel.finish({ words: 'unheard', exit: { code: 0 } }), 'the finish');
      assert.equal(await within(client.exit, 'the exit'), undefined);
    },
  },
  {
    name: 'a client that leaves without having read frees whoever writes to it, and what was held for it',
    async run({ channel, client }) {
      channel.stdout.on('error', () => undefined);
      const writing = { taken: 0 };
      const all = write(channel.stdout, LARGE, writing).catch(() => 'freed');
      await heldWhenStill(channel, writing);
      client.leave();
      assert.equal(await within(all, 'the writer to be freed'), 'freed');
      await until(() => channel.heldBytes() < MEBIBYTE / 4, 'next to nothing is held');
    },
  },
];

/** The most that was held until neither side moved any more. */
async function heldWhenStill(channel: ClientChannel, writing: { taken: number }): Promise<number> {
  const STILL_MS = 300;
  let [last, since, most] = [0, Date.now(), 0];
  await until(() => {
    const held = channel.heldBytes();
    most = Math.max(most, held);
    if (writing.taken + held !== last) [last, since] = [writing.taken + held, Date.now()];
    return last > 0 && Date.now() - since > STILL_MS;
  }, 'the streams stand still');
  return most;
}

/** Bytes that are not the same after a slip of any length. */
function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(at, at);
  return bytes;
}

/** Writes so many bytes in chunks, each once the one before was taken. */
async function write(stream: Writable, length: number, progress: { taken: number }): Promise<void> {
  const bytes = pattern(length);
  const CHUNK = 64 * 1024;
  for (let at = 0; at < length; at += CHUNK) {
    await new Promise<void>((resolve, reject) => {
      stream.write(bytes.subarray(at, at + CHUNK), (error) => (error ? reject(error) : resolve()));
    });
    progress.taken = at + CHUNK;
  }
}

async function allOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function discard(client: ClientEnd): void {
  client.stdout.resume();
  client.stderr.resume();
}
