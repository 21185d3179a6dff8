import { describe, expect, test } from '@jest/globals';
import { MemoryClock, MemoryRepositoryLocks, type MemoryLockState } from '../../../src/adapters/memory/index.js';
import { Fault } from '../../../src/domain/fault.js';
import { isDeparture } from '../../../src/domain/session-end.js';
import { repositoryLocksContract } from '../../../src/contracts/repository-locks.js';
import { runContract } from '../../support/contract.js';

runContract(
  'the memory repository locks',
  repositoryLocksContract(async () => {
    const clock = new MemoryClock();
    const state: MemoryLockState = new Map();
    const one = new MemoryRepositoryLocks(clock, state);
    return {
      one,
      other: new MemoryRepositoryLocks(clock, state),
      leaseMs: 1_000,
      now: () => clock.now(),
      pass: (ms) => clock.advance(ms),
      expire: async (app) => one.revoke(app),
      breakDown: async () => one.trouble.failWith(new Fault('GM_UNAVAILABLE', 'lock', 'down')),
      close: async () => undefined,
    };
  }),
);

describe('the record of the memory repository locks', () => {
  const holder = { user: 'alice', session: 's-1', since: 0 };
  const take = (locks: MemoryRepositoryLocks) =>
    locks.acquire('shop', holder, 'wait', 1000, () => undefined, new AbortController().signal);

  test('shows what is held, and nothing once it was given back', async () => {
    const locks = new MemoryRepositoryLocks(new MemoryClock());
    const lease = await take(locks);
    expect(locks.leases()).toEqual([lease]);
    if ('release' in lease) await lease.release();
    expect(locks.leases()).toEqual([]);
  });

  test('a revoked lease says that it was lost', async () => {
    const locks = new MemoryRepositoryLocks(new MemoryClock());
    const lease = await take(locks);
    locks.revoke('shop');
    expect('lost' in lease && isDeparture(lease.lost.reason) && lease.lost.reason.reason).toBe('lease-lost');
  });

  test('those who gave up or got their turn leave no timer on the clock', async () => {
    const clock = new MemoryClock();
    const locks = new MemoryRepositoryLocks(clock);
    const lease = await take(locks);
    const giveUp = new AbortController();
    const [left, served] = [
      locks.acquire('shop', holder, 'wait', 1000, () => undefined, giveUp.signal).catch(() => 'left'),
      take(locks),
    ];
    await clock.advance(1);
    expect(clock.sleeping).toBe(2);
    giveUp.abort();
    if ('release' in lease) await lease.release();
    await Promise.all([left, served]);
    expect(clock.sleeping).toBe(0);
  });
});
