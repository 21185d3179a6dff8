/** The promises of standing still. */
import assert from 'node:assert/strict';
import { setTimeout as realTime } from 'node:timers/promises';
import { until, within } from './contract.js';
import { inDyno, line, read } from './dyno-driver.js';
import type { TransportLack, TransportPromise } from './transport.js';

/** Within that a dyno stands still; and so long it is listened to, to hear that it says nothing. */
const SOON_MS = 250;

const standingStill: readonly TransportPromise[] = [
  {
    name: 'a paused dyno says nothing to what it is sent, and goes on where it stood',
    needs: 'pause',
    run: (harness) =>
      inDyno(harness, { kind: 'echo' }, async (session) => {
        let heard = '';
        session.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
        session.stdin.write('one');
        await until(() => heard === 'one', 'the first word is echoed');
        for (const word of ['two', 'three']) {
          heard = '';
          session.pause();
          session.pause();
          await realTime(SOON_MS);
          session.stdin.write(word);
          await realTime(SOON_MS);
          assert.equal(heard, '');
          session.resume();
          session.resume();
          await until(() => heard === word, `the word ${word} is echoed`);
        }
      }),
  },
  {
    name: 'a dyno that is paused and resumed in one moment runs',
    run: (harness) =>
      inDyno(harness, { kind: 'echo' }, async (session) => {
        let heard = '';
        session.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
        session.resume();
        for (let n = 0; n < 5; n++) {
          session.pause();
          session.resume();
        }
        session.stdin.write('one');
        await until(() => heard === 'one', 'the word is echoed');
      }),
  },
  {
    name: 'a signal reaches a command that is paused',
    needs: 'pause',
    run: (harness) =>
      inDyno(harness, { kind: 'trap' }, async (session) => {
        await line(session.stdout, 'ready');
        session.pause();
        await realTime(SOON_MS);
        session.signal('INT');
        assert.equal((await read(session.stdout)).toString(), 'INT\n');
        assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'code', code: 7 });
      }),
  },
  {
    name: 'closing wakes a paused dyno, so that its command can clean up; nothing can pause it then',
    needs: 'pause',
    run: (harness) =>
      inDyno(harness, { kind: 'trap' }, async (session) => {
        await line(session.stdout, 'ready');
        session.pause();
        await realTime(SOON_MS);
        const closed = session.close();
        session.pause();
        await within(closed, 'close');
        assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'code', code: 7 });
        assert.deepEqual(await harness.running(), []);
      }),
  },
  {
    name: 'pausing what has ended is nothing',
    needs: 'exitStatus',
    run: (harness) =>
      inDyno(harness, { kind: 'exit', code: 3 }, async (session) => {
        assert.deepEqual(await within(session.exit, 'the exit'), { kind: 'code', code: 3 });
        session.pause();
        session.resume();
      }),
  },
];

const unable: readonly TransportPromise[] = [
  {
    name: 'a transport that cannot pause does nothing when it is asked to',
    run: (harness) =>
      inDyno(harness, { kind: 'echo', bytes: 3 }, async (session) => {
        session.pause();
        session.stdin.write('one');
        assert.equal((await read(session.stdout)).toString(), 'one');
        session.resume();
      }),
  },
];

export function transportPausing(lacks: readonly TransportLack[]): readonly TransportPromise[] {
  return lacks.includes('pause') ? [...standingStill, ...unable] : standingStill;
}
