import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import type { Clock } from '../ports/clock.js';
import {
  casesOf,
  gone,
  rejectionOf,
  settled,
  turns,
  within,
  type ContractCase,
  type Harness,
  type Promised,
} from './contract.js';

/** A clock, and a way to have time pass on it. */
export interface ClockHarness extends Harness {
  readonly clock: Clock;
  /** Lets that much of the clock's time pass: a fake one is advanced, a real one waited for. */
  pass(ms: number): Promise<void>;
  /** Sets the time of day back, as an operator does. */
  setBack(ms: number): void;
}

export function clockContract(open: () => Promise<ClockHarness>): readonly ContractCase[] {
  return casesOf(open, [], [...telling, ...sleeping]);
}

/** Timers count in whole milliseconds and may round one away. */
const ROUNDING_MS = 2;

const telling: readonly Promised<ClockHarness>[] = [
  {
    name: 'now is in milliseconds since the epoch, and moves as time passes',
    async run({ clock, pass }) {
      const before = clock.now();
      assert.ok(before > Date.UTC(2020, 0) && before < Date.UTC(2100, 0), `${before} is a time of this century`);
      await pass(30);
      const passed = clock.now() - before;
      assert.ok(passed >= 30 - ROUNDING_MS, `${passed} ms went by`);
    },
  },
  {
    name: 'monotonic is in whole milliseconds, and moves as time passes',
    async run({ clock, pass }) {
      const before = clock.monotonic();
      assert.ok(Number.isSafeInteger(before), `${before} is a whole number`);
      await pass(30);
      const passed = clock.monotonic() - before;
      assert.ok(passed >= 30 - ROUNDING_MS, `${passed} ms went by`);
    },
  },
  {
    name: 'monotonic does not follow the time of day when that is set',
    async run({ clock, setBack }) {
      const [now, before] = [clock.now(), clock.monotonic()];
      setBack(3_600_000);
      assert.ok(clock.now() < now - 3_000_000, 'the time of day was set back');
      assert.ok(clock.monotonic() >= before, 'and monotonic was not');
    },
  },
];

const sleeping: readonly Promised<ClockHarness>[] = [
  {
    name: 'a sleep ends after its time and not before',
    async run({ clock, pass }) {
      const begun = clock.monotonic();
      const sleep = clock.sleep(50).then(() => clock.monotonic() - begun);
      const slept = await settled(sleep, 'the sleep ends', pass);
      assert.ok(slept >= 50 - ROUNDING_MS, `slept ${slept} ms`);
    },
  },
  {
    name: 'who wakes may sleep again: ten sleeps in a row take the time of ten',
    async run({ clock, pass }) {
      const begun = clock.monotonic();
      const sleeps = (async () => {
        for (let count = 0; count < 10; count++) await clock.sleep(10);
        return clock.monotonic() - begun;
      })();
      assert.ok((await settled(sleeps, 'all sleeps have ended', pass)) >= 10 * (10 - ROUNDING_MS));
    },
  },
  {
    name: 'a sleep of no time, or less than none, ends',
    async run({ clock, pass }) {
      for (const ms of [0, -1]) await settled(clock.sleep(ms), 'the sleep ends', pass);
    },
  },
  {
    name: 'a sleep longer than a timer of Node can count does not end at once',
    async run({ clock, pass }) {
      const wake = new AbortController();
      let ended = false;
      const sleep = clock.sleep(2 ** 33, wake.signal).then(() => (ended = true));
      const outcome = sleep.catch(() => undefined);
      await pass(50);
      await turns();
      assert.equal(ended, false);
      wake.abort();
      await within(outcome, 'the sleep to end');
    },
  },
  {
    name: 'a sleep whose signal has aborted already rejects with its reason',
    async run({ clock }) {
      const signal = gone();
      assert.equal(await rejectionOf(clock.sleep(60_000, signal)), signal.reason);
    },
  },
  {
    name: 'a sleep whose signal aborts rejects at once with its reason, and nobody listens to the signal any more',
    async run({ clock }) {
      const wake = new AbortController();
      const sleep = clock.sleep(60_000, wake.signal);
      sleep.catch(() => undefined);
      await turns();
      wake.abort(new Error('woken'));
      assert.equal(await rejectionOf(sleep), wake.signal.reason);
      assert.equal(getEventListeners(wake.signal, 'abort').length, 0);
    },
  },
  {
    name: 'a sleep that ended by itself no longer listens to its signal',
    async run({ clock, pass }) {
      const { signal } = new AbortController();
      await settled(clock.sleep(10, signal), 'the sleep ends', pass);
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    },
  },
  {
    name: 'a sleeper does not keep the process alive',
    async run({ clock }) {
      const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      const before = timers();
      const wake = new AbortController();
      const sleeps = [1, 2, 3].map(() => clock.sleep(60_000, wake.signal).catch(() => undefined));
      await turns();
      assert.equal(timers(), before);
      wake.abort();
      await Promise.all(sleeps);
    },
  },
];
