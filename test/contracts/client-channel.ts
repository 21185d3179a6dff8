import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isDeparture } from '../../src/domain/session-end.js';
import type { Verdict } from '../../src/domain/verdict.js';
import type { ClientChannel } from '../../src/ports/client-channel.js';
import { casesOf, turns, until, within, type ContractCase, type Harness, type Promised } from './contract.js';
import { read, write, writeUntilStalled } from './dyno-driver.js';

/** A channel, and the client at its other end. */
export interface ClientChannelHarness extends Harness {
  readonly channel: ClientChannel;
  readonly client: {
    readonly stdin: Writable;
    /** The client reads nothing of these before it is told to. */
    readonly stdout: Readable;
    readonly stderr: Readable;
    /** How the client was told it came out; undefined when it was told nothing. Settles once all output was read. */
    readonly exit: Promise<Verdict['exit'] | undefined>;
    /** Sends a signal by this name, whatever it is. */
    signal(name: string): void;
    /** Hangs up, without a word. */
    leave(): void;
  };
}

export function clientChannelContract(open: () => Promise<ClientChannelHarness>): readonly ContractCase[] {
  const listening = async () => {
    const harness = await open();
    // Streams whose other end has gone say so by an error; whoever uses them listens for it.
    const { channel, client } = harness;
    for (const stream of [channel.stdin, channel.stdout, channel.stderr, client.stdin, client.stdout, client.stderr]) {
      stream.on('error', () => undefined);
    }
    return harness;
  };
  return casesOf(listening, [], [...streams, ...finishing, ...leaving]);
}

const MIB = 1024 * 1024;
const MOST_HELD = 4 * MIB;
const DONE: Verdict = { words: '', exit: { code: 0 } };

const streams: readonly Promised<ClientChannelHarness>[] = [
  {
    name: 'what the client sends is read in order, to its end of input',
    async run({ channel, client }) {
      const bytes = randomBytes(3 * MIB);
      const received = read(channel.stdin);
      await within(pipeline(Readable.from([bytes.subarray(0, 1), bytes.subarray(1)]), client.stdin), 'the sending');
      assert.ok((await received).equals(bytes));
    },
  },
  {
    name: 'what is written reaches the client in order, standard error apart from standard output',
    async run({ channel, client }) {
      const bytes = randomBytes(3 * MIB);
      const [out, err] = [read(client.stdout), read(client.stderr)];
      await write(channel.stderr, Buffer.from('words'));
      for (let start = 0; start < bytes.length; start += 100_000)
        await write(channel.stdout, bytes.subarray(start, start + 100_000));
      await within(channel.finish(DONE), 'the end');
      assert.ok((await out).equals(bytes));
      assert.equal((await err).toString(), 'words');
    },
  },
  {
    name: 'a client that reads nothing stops the writer; what is held for it is bounded, and counted',
    async run({ channel, client }) {
      const taken = await writeUntilStalled(channel.stdout, 2 * MOST_HELD);
      assert.equal(channel.stdout.write('x'), false);
      const held = channel.heldBytes();
      assert.ok(held > 0 && held < MOST_HELD, `${held} bytes are held`);
      let received = 0;
      client.stdout.on('data', (chunk: Buffer) => (received += chunk.length)).resume();
      await until(() => received > taken, 'the client has read all');
      await until(() => channel.heldBytes() === 0, 'nothing is held any more');
    },
  },
  {
    name: 'input that nobody reads stops the client',
    async run({ channel, client }) {
      await writeUntilStalled(client.stdin, 2 * MOST_HELD);
      assert.ok(channel.stdin.readableLength < MOST_HELD);
    },
  },
];

const finishing: readonly Promised<ClientChannelHarness>[] = [
  ...([{ code: 0 }, { code: 1 }, { code: 255 }, { signal: 'TERM' }, { signal: 'KILL' }] as const).map(
    (exit): Promised<ClientChannelHarness> => ({
      name: `the client is told ${JSON.stringify(exit)} as it is`,
      async run({ channel, client }) {
        const output = [read(client.stdout), read(client.stderr)];
        await within(channel.finish({ words: '', exit }), 'the end');
        assert.deepEqual(await within(client.exit, 'the exit'), exit);
        await Promise.all(output);
      },
    }),
  ),
  {
    name: 'everything written before the end goes out before it, then the words, on standard error, then the exit',
    async run({ channel, client }) {
      const seen: string[] = [];
      const [out, err] = [read(client.stdout), read(client.stderr)];
      for (const stream of [client.stdout, client.stderr]) stream.once('end', () => seen.push('end'));
      const told = client.exit.then(() => seen.push('exit'));
      channel.stdout.write(Buffer.alloc(MIB, 'x'));
      channel.stderr.write('before\n');
      await within(channel.finish({ words: ' !     refused\n', exit: { code: 1 } }), 'the end');
      await within(told, 'the exit');
      assert.equal((await out).length, MIB);
      assert.equal((await err).toString(), 'before\n !     refused\n');
      assert.deepEqual(seen, ['end', 'end', 'exit']);
    },
  },
  {
    name: 'finishing again changes nothing: the first verdict stands',
    async run({ channel, client }) {
      const [, err] = [read(client.stdout), read(client.stderr)];
      await within(
        Promise.all([
          channel.finish({ words: 'first', exit: { code: 1 } }),
          channel.finish({ words: 'second', exit: { code: 0 } }),
        ]),
        'the end',
      );
      await within(channel.finish(DONE), 'the end');
      assert.deepEqual(await within(client.exit, 'the exit'), { code: 1 });
      assert.equal((await err).toString(), 'first');
    },
  },
  {
    name: 'finishes while the client still sends',
    async run({ channel, client }) {
      const output = [read(client.stdout), read(client.stderr)];
      client.stdin.write(Buffer.alloc(MIB));
      await within(channel.finish({ words: '', exit: { code: 1 } }), 'the end');
      assert.deepEqual(await within(client.exit, 'the exit'), { code: 1 });
      await Promise.all(output);
    },
  },
];

const leaving: readonly Promised<ClientChannelHarness>[] = [
  {
    name: 'the signals a client may send are told, in order, and no others',
    async run({ channel, client }) {
      const told: string[] = [];
      channel.onSignal((name) => told.push(name));
      for (const name of ['INT', 'SEGV', 'STOP', 'KILL ', 'toString', 'TERM']) client.signal(name);
      await until(() => told.includes('TERM'), 'the last signal is told');
      assert.deepEqual(told, ['INT', 'TERM']);
    },
  },
  {
    name: 'a client that stays is not said to have gone',
    async run({ channel, client }) {
      client.stdin.end();
      channel.stdin.resume();
      await turns();
      assert.equal(channel.gone.aborted, false);
    },
  },
  {
    name: 'a client that leaves is told by a departure, and later writes fail instead of hanging',
    async run({ channel, client }) {
      client.leave();
      await until(() => channel.gone.aborted, 'the leaving is told');
      assert.ok(isDeparture(channel.gone.reason) && channel.gone.reason.reason === 'client-left');
      for (const stream of [channel.stdout, channel.stderr]) {
        const written = new Promise<unknown>((resolve) => stream.write('in vain', resolve));
        assert.ok(await within(written, 'the write to be called back'), 'the write was to fail');
      }
    },
  },
  {
    name: 'a write that waits for a client when it leaves is called back, and nothing is held for it any more',
    async run({ channel, client }) {
      await writeUntilStalled(channel.stdout, 2 * MOST_HELD);
      const waiting = new Promise((resolve) => channel.stdout.write('x', resolve));
      client.leave();
      await within(waiting, 'the write to be called back');
      await until(() => channel.heldBytes() === 0, 'nothing is held any more');
    },
  },
  {
    name: 'reading the input of a client that has left comes to an end',
    async run({ channel, client }) {
      const over = new Promise((resolve) => channel.stdin.once('close', resolve));
      channel.stdin.resume();
      client.leave();
      await within(over, 'the end of the input');
    },
  },
  {
    name: 'finishing resolves when the client has left, before or meanwhile',
    async run({ channel, client }) {
      channel.stdout.write(Buffer.alloc(8 * MIB));
      const finished = channel.finish(DONE);
      client.leave();
      await within(finished, 'the end');
      await within(channel.finish(DONE), 'the end');
      assert.equal(await within(client.exit, 'the exit'), undefined);
    },
  },
];
