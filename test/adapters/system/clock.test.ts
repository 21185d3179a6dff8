import { describe, expect, test } from '@jest/globals';
import { createHook } from 'node:async_hooks';
import { setTimeout as realTime } from 'node:timers/promises';
import { SystemClock } from '../../../src/adapters/system/clock.js';
import { newId } from '../../../src/adapters/system/ids.js';
import { clockContract } from '../../../src/contracts/clock.js';
import { until } from '../../../src/contracts/contract.js';
import { runContract } from '../../support/contract.js';

runContract(
  'the system clock',
  clockContract(async () => {
    const timeOfDay = Date.now;
    return {
      clock: new SystemClock(),
      pass: (ms) => realTime(ms),
      // What Node asks the system, which no test may set.
      setBack: (ms) => void (Date.now = () => timeOfDay() - ms),
      close: async () => void (Date.now = timeOfDay),
    };
  }),
);

test('a sleep that was aborted leaves no timer behind, not even one that keeps nothing alive', async () => {
  const timers = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === 'Timeout' && timers.add(id)),
    destroy: (id) => void timers.delete(id),
  }).enable();
  try {
    const wake = new AbortController();
    const sleep = new SystemClock().sleep(60_000, wake.signal).catch(() => undefined);
    const [timer, ...others] = timers;
    expect([timer, others]).toEqual([expect.any(Number), []]);
    wake.abort();
    await sleep;
    await until(() => timer !== undefined && !timers.has(timer), 'the timer is gone');
  } finally {
    hook.disable();
  }
});

describe('ids', () => {
  test('have their prefix and 16 digits that nobody misreads', () => {
    for (let count = 0; count < 200; count++) expect(newId('s')).toMatch(/^s-[0-9abcdefghjkmnpqrstvwxyz]{16}$/);
  });

  test('do not repeat, and use every digit in every place', () => {
    const ids = Array.from({ length: 2000 }, () => newId('c').slice(2));
    expect(new Set(ids).size).toBe(ids.length);
    for (let place = 0; place < 16; place++) expect(new Set(ids.map((id) => id[place])).size).toBe(32);
  });
});
