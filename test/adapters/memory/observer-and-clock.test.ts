import { describe, expect, test } from '@jest/globals';
import { MemoryClock, MemoryObserver } from '../../../src/adapters/memory/index.js';
import { clockContract } from '../../../src/contracts/clock.js';
import { observerContract, sampleEvents } from '../../../src/contracts/observer.js';
import { runContract } from '../../support/contract.js';

runContract(
  'the memory observer',
  observerContract(async () => {
    const observer = new MemoryObserver();
    return { observer, noted: async () => observer.events.map(({ type }) => type), close: async () => undefined };
  }, ['text']),
);

test('the memory observer gives the events of one type', () => {
  const observer = new MemoryObserver();
  for (const event of sampleEvents('harmless')) observer.record(event);
  expect(observer.ofType('server-draining')).toEqual([
    { type: 'server-draining', sessions: 1, drainMs: 300_000, delayMs: 0 },
  ]);
});

runContract(
  'the memory clock',
  clockContract(async () => {
    const clock = new MemoryClock();
    return {
      clock,
      pass: (ms) => clock.advance(ms),
      setBack: (ms) => clock.set(clock.now() - ms),
      close: async () => undefined,
    };
  }),
);

describe('the memory clock', () => {
  test('stands until it is advanced, to the millisecond', async () => {
    const clock = new MemoryClock(1000);
    let awake = false;
    const sleep = clock.sleep(50).then(() => (awake = true));
    await clock.advance(49);
    expect([clock.now(), awake]).toEqual([1049, false]);
    await clock.advance(1);
    await sleep;
    expect([clock.now(), awake]).toEqual([1050, true]);
  });

  test('wakes sleepers in the order they are due, and of equals the first to fall asleep', async () => {
    const clock = new MemoryClock();
    const woken: string[] = [];
    const sleeps = ['90 a', '30 a', '60 a', '30 b', '90 b'].map((name) =>
      clock.sleep(parseInt(name, 10)).then(() => woken.push(name)),
    );
    await clock.advance(100);
    await Promise.all(sleeps);
    expect(woken).toEqual(['30 a', '30 b', '60 a', '90 a', '90 b']);
  });

  test('wakes each sleeper at its own time within one advance', async () => {
    const clock = new MemoryClock(0);
    const woken: number[] = [];
    const sleeps = (async () => {
      for (let count = 0; count < 5; count++) {
        await clock.sleep(100);
        woken.push(clock.now());
      }
    })();
    await clock.advance(450);
    expect(woken).toEqual([100, 200, 300, 400]);
    expect(clock.sleeping).toBe(1);
    await clock.advance(50);
    await sleeps;
    expect(clock.sleeping).toBe(0);
  });
});
