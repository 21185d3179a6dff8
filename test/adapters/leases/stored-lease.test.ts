/** How a lease follows its table and the time, with both in the tester's hand. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { LockTable, Standing } from '../../../src/adapters/leases/lock-table.js';
import { StoredLease } from '../../../src/adapters/leases/stored-lease.js';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { Fault } from '../../../src/domain/fault.js';
import { leaseTimes } from '../../../src/domain/lock-policy.js';
import { isDeparture } from '../../../src/domain/session-end.js';

const LEASE_MS = 30_000;
const HOUR_MS = 3_600_000;
const TIMES = leaseTimes(LEASE_MS);

let clock: MemoryClock;
/** What the table says: no standing for a lock that is another's, 'away' where it does not answer. */
let says: Standing | undefined | 'away';
let renewals: number;

beforeEach(() => {
  clock = new MemoryClock();
  says = {};
  renewals = 0;
});

function take(by = clock): StoredLease {
  const table: Pick<LockTable, 'check' | 'remove'> = {
    async check(_app, _token, extend) {
      if (says === 'away') throw new Fault('GM_UNAVAILABLE', 'lock', 'away');
      if (extend && says !== undefined) renewals += 1;
      return says;
    },
    remove: async () => undefined,
  };
  const lock = { app: 'shop', token: 1, askedAt: by.monotonic() };
  return new StoredLease(lock, table as LockTable, by, TIMES, () => undefined);
}

describe.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
])('where the time of day is set %s', (_where, ms) => {
  test('a lease goes on being renewed', async () => {
    const lease = take();
    await clock.advance(1_000);
    clock.set(clock.now() + ms);
    await clock.advance(2 * LEASE_MS);
    expect(lease.lost.aborted).toBe(false);
    expect(renewals).toBeGreaterThanOrEqual(6);
    await lease.release();
  });

  test('a lease that can not be renewed is lost in time, and not before', async () => {
    const lease = take();
    says = 'away';
    await clock.advance(1_000);
    clock.set(clock.now() + ms);
    await clock.advance(LEASE_MS - TIMES.lostBeforeEndMs - 1_001);
    expect(lease.lost.aborted).toBe(false);
    await clock.advance(1);
    expect(lease.lost.aborted).toBe(true);
  });
});

test('a lease that was recalled, and then can not be renewed, is lost before its end', async () => {
  const lease = take();
  says = { recall: 'superseded' };
  await clock.advance(1_000);
  expect(isDeparture(lease.recalled.reason) && lease.recalled.reason.reason).toBe('superseded');
  expect(lease.lost.aborted).toBe(false);
  says = 'away';
  await clock.advance(LEASE_MS - TIMES.lostBeforeEndMs);
  expect(isDeparture(lease.lost.reason) && lease.lost.reason.reason).toBe('lease-lost');
});

describe('what a lost lease leaves for cleaning up', () => {
  test('is a sixth of it, and less as time passes, where it is lost before its end', async () => {
    const lease = take();
    says = 'away';
    await clock.advance(LEASE_MS - TIMES.lostBeforeEndMs);
    expect([lease.lost.aborted, lease.graceMs()]).toEqual([true, TIMES.graceMs]);
    await clock.advance(3_000);
    expect(lease.graceMs()).toBe(TIMES.graceMs - 3_000);
    await clock.advance(LEASE_MS);
    expect(lease.graceMs()).toBe(0);
  });

  test('is nothing where the lock is another one’s', async () => {
    const lease = take();
    says = undefined;
    await clock.advance(1_000);
    expect([lease.lost.aborted, lease.graceMs()]).toEqual([true, 0]);
  });

  // As a process that stood still: its timers are late.
  test.each([LEASE_MS / 3, HOUR_MS])('is nothing where it is learned %i ms late', async (lateMs) => {
    let stoodStillMs = 0;
    class LateClock extends MemoryClock {
      override monotonic(): number {
        return super.monotonic() + stoodStillMs;
      }
    }
    clock = new LateClock();
    const lease = take();
    says = 'away';
    await clock.advance(LEASE_MS - TIMES.lostBeforeEndMs - 1);
    stoodStillMs = lateMs;
    await clock.advance(1);
    expect([lease.lost.aborted, lease.graceMs()]).toEqual([true, 0]);
  });
});
