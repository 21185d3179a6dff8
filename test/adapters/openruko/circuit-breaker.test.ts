import { expect, test } from '@jest/globals';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { CircuitBreaker } from '../../../src/adapters/remote/circuit-breaker.js';

const REST_MS = 5_000;

function broken(): { breaker: CircuitBreaker; clock: MemoryClock } {
  const clock = new MemoryClock();
  const breaker = new CircuitBreaker({ failures: 3, restMs: REST_MS }, clock);
  for (let failure = 0; failure < 3; failure++) {
    expect(breaker.mayTry()).toBe(true);
    breaker.failed();
  }
  return { breaker, clock };
}

test('failures in a row keep calls away, and a success between them starts the count anew', () => {
  const { breaker } = broken();
  expect(breaker.mayTry()).toBe(false);
  const spared = new CircuitBreaker({ failures: 3, restMs: REST_MS }, new MemoryClock());
  for (let round = 0; round < 5; round++) {
    spared.failed();
    spared.failed();
    spared.succeeded();
  }
  expect(spared.mayTry()).toBe(true);
});

test('after each rest one call may try, and no other until it has come back or the next rest is over', async () => {
  const { breaker, clock } = broken();
  await clock.advance(REST_MS - 1);
  expect(breaker.mayTry()).toBe(false);
  await clock.advance(1);
  expect([breaker.mayTry(), breaker.mayTry()]).toEqual([true, false]);
  // The one that tried was given up, and told nothing.
  await clock.advance(REST_MS);
  expect([breaker.mayTry(), breaker.mayTry()]).toEqual([true, false]);
  breaker.succeeded();
  expect([breaker.mayTry(), breaker.mayTry()]).toEqual([true, true]);
});

test('a trial that fails begins another rest', async () => {
  const { breaker, clock } = broken();
  await clock.advance(REST_MS);
  expect(breaker.mayTry()).toBe(true);
  await clock.advance(REST_MS / 2);
  breaker.failed();
  await clock.advance(REST_MS - 1);
  expect(breaker.mayTry()).toBe(false);
  await clock.advance(1);
  expect(breaker.mayTry()).toBe(true);
});
