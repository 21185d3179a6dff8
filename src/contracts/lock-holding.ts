/** What holding a lock means. */
import assert from 'node:assert/strict';
import type { LockHolder } from '../domain/lock-policy.js';
import { isRefusal } from '../domain/refusal.js';
import { settled, turns, within } from './contract.js';
import { ask, holderOf, leaseOf, take } from './lock-driver.js';
import type { RepositoryLocksPromise } from './repository-locks.js';

export const lockHolding: readonly RepositoryLocksPromise[] = [
  {
    name: 'a free lock is given at once, with nothing said about waiting',
    async run({ one }) {
      const told: LockHolder[] = [];
      const lease = await take(one, 'alice', { onWaiting: (holder) => told.push(holder) });
      assert.equal(lease.app, 'shop');
      assert.deepEqual([lease.recalled.aborted, lease.lost.aborted], [false, false]);
      assert.deepEqual(told, []);
    },
  },
  {
    name: 'a held lock is refused at once to those who may not wait, naming the holder, in this process and others',
    async run({ one, other, now }) {
      const before = now();
      await take(one, 'alice');
      for (const locks of [one, other]) {
        const answer = await within(ask(locks, 'bob', { mode: 'refuse' }), 'the refusal');
        assert.ok(isRefusal(answer));
        const { kind, app, waitedMs, holder } = answer;
        assert.deepEqual([kind, app, waitedMs], ['busy', 'shop', 0]);
        assert.deepEqual([holder.user, holder.session], ['alice', 's-alice']);
        assert.ok(holder.since >= before && holder.since <= now(), 'since is when the lock was taken');
      }
    },
  },
  {
    name: 'one app does not hold up another',
    async run({ one, other }) {
      await take(one, 'alice', { app: 'shop' });
      await take(one, 'alice', { app: 'blog' });
      await take(other, 'bob', { app: 'wiki' });
      assert.equal(await holderOf(other, 'blog'), 'alice');
      assert.equal(await holderOf(one, 'wiki'), 'bob');
    },
  },
  {
    name: 'a released lock is free, in this process and others, and its lease never counts as lost',
    async run({ one, other, pass, leaseMs }) {
      const lease = await take(one, 'alice');
      await lease.release();
      assert.equal(await holderOf(other), undefined);
      const next = await take(other, 'bob');
      await pass(3 * leaseMs);
      assert.equal(lease.lost.aborted, false);
      await next.release();
    },
  },
  {
    name: 'releasing again changes nothing, even when somebody else holds the lock by then',
    async run({ one, other }) {
      const lease = await take(one, 'alice');
      await Promise.all([lease.release(), lease.release()]);
      await take(other, 'bob');
      await lease.release();
      assert.equal(await holderOf(one), 'bob');
      assert.equal(lease.lost.aborted, false);
    },
  },
  {
    name: 'the token grows with every lease of an app, over both processes',
    async run({ one, other }) {
      const tokens: number[] = [];
      for (let round = 0; round < 6; round++) {
        const lease = await take(round % 2 === 0 ? one : other, 'alice');
        tokens.push(lease.token);
        await lease.release();
      }
      for (const [index, token] of tokens.entries()) {
        assert.ok(Number.isSafeInteger(token), `token ${token} is a whole number`);
        if (index > 0) assert.ok(token > (tokens[index - 1] ?? Infinity), `tokens grow: ${tokens.join(', ')}`);
      }
    },
  },
  {
    name: 'a lease renews itself: it outlasts its own length many times',
    async run({ one, other, pass, leaseMs }) {
      const lease = await take(one, 'alice');
      for (let round = 0; round < 5; round++) {
        await pass(leaseMs);
        assert.equal(await holderOf(other), 'alice');
      }
      assert.equal(lease.lost.aborted, false);
    },
  },
  {
    name: 'thirty writers in two processes never hold the lock at once, and each gets it',
    async run({ one, other, pass }) {
      let holders = 0;
      let served = 0;
      const writers = Array.from({ length: 30 }, async (_, index) => {
        const lease = leaseOf(await ask(index % 2 === 0 ? one : other, `user${index}`));
        holders += 1;
        assert.equal(holders, 1, 'two writers at once');
        await turns(2);
        holders -= 1;
        served += 1;
        await lease.release();
      });
      await settled(Promise.all(writers), 'all writers were served', pass);
      assert.equal(served, 30);
    },
  },
];
