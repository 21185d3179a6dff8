/** In what order a client is told things, and what a writer may count on when it leaves. */
import assert from 'node:assert/strict';
import type { Verdict } from '../domain/verdict.js';
import type { ClientChannelHarness } from './client-channel.js';
import { turns, until, within, type Promised } from './contract.js';

const MEBIBYTE = 1024 ** 2;
const REFUSED: Verdict = { words: ' !     refused\n', exit: { code: 1 } };

export const clientChannelOrder: readonly Promised<ClientChannelHarness>[] = [
  {
    name: 'the client is told the exit after the end of everything it reads',
    async run({ channel, client }) {
      const seen: string[] = [];
      for (const stream of [client.stdout, client.stderr]) stream.once('end', () => seen.push('end')).resume();
      const told = client.exit.then(() => seen.push('exit'));
      channel.stdout.write(Buffer.alloc(MEBIBYTE));
      await within(channel.finish(REFUSED), 'the finish');
      await within(told, 'the exit');
      assert.deepEqual(seen, ['end', 'end', 'exit']);
    },
  },
  {
    name: 'finishing again is no error for any stream',
    async run({ channel, client }) {
      client.stdout.resume();
      client.stderr.resume();
      const complaints: Error[] = [];
      for (const stream of [channel.stdout, channel.stderr]) stream.on('error', (error) => complaints.push(error));
      await within(Promise.all([channel.finish(REFUSED), channel.finish(REFUSED)]), 'both finishes');
      await within(channel.finish(REFUSED), 'one more finish');
      await turns();
      assert.equal(complaints.length, 0, String(complaints[0]));
    },
  },
  {
    name: 'a client that has sent all it has to send is still there',
    async run({ channel, client }) {
      client.stdin.end();
      channel.stdin.resume();
      await until(() => channel.stdin.readableEnded, 'the end of input arrives');
      await turns();
      assert.equal(channel.gone.aborted, false);
    },
  },
  {
    name: 'a client that leaves while it is being told how it came out holds nobody up',
    async run({ channel, client }) {
      for (const stream of [channel.stdout, channel.stderr]) stream.on('error', () => undefined);
      channel.stdout.write(Buffer.alloc(16 * MEBIBYTE));
      const finished = channel.finish(REFUSED);
      client.leave();
      await within(finished, 'the finish');
      assert.equal(await within(client.exit, 'the exit'), undefined);
    },
  },
  {
    name: 'after it has left, writes to standard error fail like those to standard output',
    async run({ channel, client }) {
      for (const stream of [channel.stdout, channel.stderr]) stream.on('error', () => undefined);
      client.leave();
      await until(() => channel.gone.aborted, 'the client is gone');
      for (const stream of [channel.stdout, channel.stderr]) {
        const error = new Promise<unknown>((resolve) => stream.write('in vain', resolve));
        assert.ok(await within(error, 'the write to be called back'), 'the write was to fail');
      }
    },
  },
];
