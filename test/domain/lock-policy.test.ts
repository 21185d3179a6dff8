import { describe, expect, test } from '@jest/globals';
import { graceWithin, leaseTimes, needsLock } from '../../src/domain/lock-policy.js';

describe('what follows from the length of a lease', () => {
  test.each([
    // leaseMs, renewEveryMs, lostBeforeEndMs, graceMs
    [30_000, 7_500, 10_000, 5_000],
    [2_000, 500, 667, 333],
    [600_000, 150_000, 200_000, 100_000],
    [7, 1, 3, 1],
  ])('%i ms', (leaseMs, renewEveryMs, lostBeforeEndMs, graceMs) => {
    expect(leaseTimes(leaseMs)).toEqual({ leaseMs, renewEveryMs, lostBeforeEndMs, graceMs });
  });

  test.each([2_000, 2_999, 30_000, 600_000])('of %i ms leaves time for each step', (ms) => {
    const { leaseMs, renewEveryMs, lostBeforeEndMs, graceMs } = leaseTimes(ms);
    // Two renewals may fail before it counts as lost, and half of what is left then is for killing the dyno.
    expect(leaseMs - lostBeforeEndMs).toBeGreaterThanOrEqual(2 * renewEveryMs);
    expect(lostBeforeEndMs - graceMs).toBeGreaterThanOrEqual(leaseMs / 6);
  });
});

test.each([
  // What is left of a lease of 30 s, and the grace of its dyno.
  [30_000, 5_000],
  [10_000, 5_000],
  [9_999, 4_999],
  [5_001, 1],
  [5_000, 0],
  [0, 0],
  [-Infinity, 0],
])('a dyno whose lease ends in %d ms may clean up for %i', (leftMs, graceMs) => {
  expect(graceWithin(leftMs, leaseTimes(30_000))).toBe(graceMs);
});

test.each([
  ['git-receive-pack', true],
  ['git-upload-pack', false],
  ['git-upload-archive', false],
] as const)('%s takes a lock: %s', (service, does) => {
  expect(needsLock(service)).toBe(does);
});
