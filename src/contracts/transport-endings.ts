/** The promises of how the command in a dyno ends. */
import assert from 'node:assert/strict';
import { assertFault, offered, rejectionOf, turns, within } from './contract.js';
import { inDyno, line, read, write } from './dyno-driver.js';
import type { TransportPromise } from './transport.js';

const exits: readonly TransportPromise[] = [
  ...[0, 1, 42, 127, 128, 255].map((code): TransportPromise => ({
    name: `exit status ${code} is told as it is`,
    needs: 'exitStatus',
    run: (harness) =>
      inDyno(harness, { kind: 'exit', code }, async ({ exit }) => {
        assert.deepEqual(await within(exit, 'the exit'), { kind: 'code', code });
      }),
  })),
  ...(['TERM', 'KILL'] as const).map((signal): TransportPromise => ({
    name: `a command that dies of ${signal} is told as that signal, not as a status`,
    needs: 'ownDeath',
    run: (harness) =>
      inDyno(harness, { kind: 'die', signal }, async ({ exit }) => {
        assert.deepEqual(await within(exit, 'the exit'), { kind: 'signal', signal });
      }),
  })),
  {
    name: 'the exit settles once: signals and closing after the end do not change it',
    needs: 'exitStatus',
    run: (harness) =>
      inDyno(harness, { kind: 'exit', code: 3 }, async (session) => {
        const first = await within(session.exit, 'the exit');
        session.signal('KILL');
        await session.close();
        session.signal('TERM');
        assert.deepEqual(first, { kind: 'code', code: 3 });
        assert.deepEqual(await session.exit, first);
      }),
  },
  {
    name: 'a command that ends without reading its input ends all the same, and its writer is neither stuck nor fatal',
    needs: 'exitStatus',
    run: (harness) =>
      inDyno(harness, { kind: 'exit', code: 3 }, async ({ stdin, exit }) => {
        const chunk = Buffer.alloc(64 * 1024);
        const writing = (async () => {
          for (let count = 0; count < 64; count++) await write(stdin, chunk);
        })().catch(() => undefined);
        assert.deepEqual(await within(exit, 'the exit'), { kind: 'code', code: 3 });
        await within(writing, 'the last write to be called back');
      }),
  },
  {
    name: 'a dyno that is lost is told as a fault, never as an exit, and its streams end',
    needs: 'lose',
    run: (harness) =>
      inDyno(harness, { kind: 'sleep' }, async (session, dyno) => {
        await line(session.stdout, 'ready');
        const output = new Promise((resolve) => session.stdout.once('close', resolve).resume());
        await offered(harness.lose, 'lose')(dyno);
        assertFault(await rejectionOf(session.exit), 'run');
        await within(output, 'the end of stdout');
      }),
  },
];

const signals: readonly TransportPromise[] = [
  {
    name: 'a signal ends a command that does not handle it',
    needs: 'signals',
    run: (harness) =>
      inDyno(harness, { kind: 'sleep' }, async (session) => {
        await line(session.stdout, 'ready');
        session.signal('TERM');
        assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'signal', signal: 'TERM' });
      }),
  },
  ...(['TERM', 'INT'] as const).map((name): TransportPromise => ({
    name: `${name} reaches the command itself, which may handle it and say its last words`,
    needs: 'signals',
    run: (harness) =>
      inDyno(harness, { kind: 'trap' }, async (session) => {
        await line(session.stdout, 'ready');
        session.signal(name);
        assert.equal((await read(session.stdout)).toString(), `${name}\n`);
        assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'code', code: 7 });
      }),
  })),
];

const closing: readonly TransportPromise[] = [
  {
    name: 'closing asks the command to stop first, so that it can clean up',
    needs: 'signals',
    run: (harness) =>
      inDyno(harness, { kind: 'trap' }, async (session) => {
        await line(session.stdout, 'ready');
        await within(session.close(), 'close');
        assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'code', code: 7 });
        assert.deepEqual(await harness.running(), []);
      }),
  },
  {
    name: 'closing kills, after the grace, a command that will not stop',
    needs: 'signals',
    run: (harness) =>
      inDyno(harness, { kind: 'ignore-term' }, async (session) => {
        await line(session.stdout, 'ready');
        session.signal('TERM');
        await turns();
        await within(session.close(), 'close');
        assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'signal', signal: 'KILL' });
        assert.deepEqual(await harness.running(), []);
      }),
  },
  {
    name: 'closing in a hurry shortens the grace, also of a close that has begun without one',
    needs: 'setGrace',
    async run(harness) {
      offered(harness.setGrace, 'setGrace')(600_000);
      for (const hasBegun of [false, true]) {
        await inDyno(harness, { kind: 'ignore-term' }, async (session) => {
          await line(session.stdout, 'ready');
          const closing = hasBegun ? session.close() : undefined;
          await within(session.close(20), 'close');
          await closing;
          assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'signal', signal: 'KILL' });
          assert.deepEqual(await harness.running(), []);
        });
      }
    },
  },
  {
    name: 'closing again, and twice at once, is the same close',
    run: (harness) =>
      inDyno(harness, { kind: 'sleep' }, async (session) => {
        await within(Promise.all([session.close(), session.close()]), 'close');
        await within(session.close(), 'close');
        assert.deepEqual(await harness.running(), []);
      }),
  },
  {
    name: 'closing does not wait for anybody to read what the command wrote',
    needs: 'signals',
    run: (harness) =>
      inDyno(harness, { kind: 'flood' }, async (session) => {
        await within(new Promise((resolve) => session.stdout.once('readable', () => resolve(undefined))), 'output');
        await within(session.close(), 'close');
        await within(session.exit, 'the exit');
        assert.deepEqual(await harness.running(), []);
      }),
  },
  {
    name: 'closing does not wait for the command to read what was written to it, and calls every write back',
    needs: 'signals',
    run: (harness) =>
      inDyno(harness, { kind: 'sleep' }, async (session) => {
        await line(session.stdout, 'ready');
        const written = new Promise((resolve) => session.stdin.write(Buffer.alloc(8 * 1024 * 1024), resolve));
        await within(session.close(), 'close');
        await within(written, 'the write to be called back');
      }),
  },
  {
    name: 'closing sweeps up what a command left behind when it ended by itself, and its exit stays',
    needs: 'leave-behind',
    run: (harness) =>
      inDyno(harness, { kind: 'leave-behind' }, async (session) => {
        await line(session.stdout, 'ready');
        const exit = await within(session.exit, 'the exit');
        await within(session.close(), 'close');
        assert.deepEqual(exit, { kind: 'code', code: 0 });
        assert.deepEqual(await harness.running(), []);
      }),
  },
  {
    name: 'a session closed in the moment it was opened leaves nothing',
    async run(harness) {
      for (let round = 0; round < 5; round++) await inDyno(harness, { kind: 'sleep' }, async () => undefined);
    },
  },
];

export const transportEndings: readonly TransportPromise[] = [...exits, ...signals, ...closing];
