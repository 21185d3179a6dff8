/** The promises of how a dyno session opens. */
import assert from 'node:assert/strict';
import { assertFault, gone, never, offered, rejectionOf, turns, within } from './contract.js';
import { echoOf, read } from './dyno-driver.js';
import type { TransportLack, TransportPromise } from './transport.js';

export const transportOpening = (lacks: readonly TransportLack[]): readonly TransportPromise[] => [
  {
    name: 'an opening that was given up before it began rejects with the reason of the signal and runs nothing',
    async run(harness) {
      const signal = gone();
      const dyno = await harness.dynoRunning({ kind: 'sleep' });
      assert.equal(await rejectionOf(harness.transport.open(dyno, signal)), signal.reason);
      assert.deepEqual(await harness.running(), []);
    },
  },
  {
    name: 'an opening that is given up at once rejects with the reason of the signal, or gives a session to close',
    async run(harness) {
      const giveUp = new AbortController();
      const opening = harness.transport.open(await harness.dynoRunning({ kind: 'sleep' }), giveUp.signal);
      giveUp.abort(new Error('given up'));
      const session = await within(
        opening.catch((reason: unknown) => assert.equal(reason, giveUp.signal.reason)),
        'the answer',
      );
      if (session !== undefined) await within(session.close(), 'close');
      assert.deepEqual(await harness.running(), []);
    },
  },
  {
    name: 'an opening that is given up while it is under way rejects with the reason of the signal',
    needs: 'stall',
    async run(harness) {
      const dyno = await harness.dynoRunning({ kind: 'sleep' });
      await offered(harness.stall, 'stall')();
      const giveUp = new AbortController();
      const opening = harness.transport.open(dyno, giveUp.signal);
      giveUp.abort(new Error('given up'));
      assert.equal(await rejectionOf(opening), giveUp.signal.reason);
      assert.deepEqual(await harness.running(), []);
    },
  },
  {
    name: 'once a session is open, the signal has no more effect on it',
    async run(harness) {
      const giveUp = new AbortController();
      const session = await harness.transport.open(await harness.dynoRunning(echoOf(10, lacks)), giveUp.signal);
      giveUp.abort(new Error('too late'));
      await turns();
      const echoed = read(session.stdout);
      session.stdin.end('still here');
      assert.equal((await echoed).toString(), 'still here');
      await session.close();
    },
  },
  {
    name: 'a dyno that cannot be started or reached is a fault of connecting, and leaves nothing',
    needs: 'brokenDyno',
    async run(harness) {
      const dyno = await offered(harness.brokenDyno, 'brokenDyno')();
      assertFault(await rejectionOf(harness.transport.open(dyno, never())), 'connect');
      assert.deepEqual(await harness.running(), []);
    },
  },
];
