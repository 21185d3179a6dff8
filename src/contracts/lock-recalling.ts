/** What it means that a holder is asked to let go: by one who takes its place, and by an operator. */
import assert from 'node:assert/strict';
import { isRefusal } from '../domain/refusal.js';
import { never, settled, until, within } from './contract.js';
import { ask, holderOf, leaseOf, reasonOf, take } from './lock-driver.js';
import type { RepositoryLocksPromise } from './repository-locks.js';

const superseding: readonly RepositoryLocksPromise[] = [
  {
    name: 'who supersedes has the holder told so, in this process and in another, and gets the lock once it has let go',
    async run({ one, other, pass }) {
      for (const locks of [one, other]) {
        const held = await take(one, 'alice');
        const bob = ask(locks, 'bob', { mode: 'supersede' });
        await until(() => held.recalled.aborted, 'alice is told', pass);
        assert.equal(reasonOf(held.recalled), 'superseded');
        await held.release();
        const lease = leaseOf(await settled(bob, 'bob has the lock', pass));
        assert.equal(await holderOf(one), 'bob');
        assert.equal(lease.recalled.aborted, false);
        await lease.release();
      }
    },
  },
  {
    name: 'a holder that is superseded keeps the lock until it lets go, however long it takes',
    async run({ one, other, pass, leaseMs }) {
      const held = await take(one, 'alice');
      let isServed = false;
      const bob = ask(other, 'bob', { mode: 'supersede' }).finally(() => (isServed = true));
      await until(() => held.recalled.aborted, 'alice is told', pass);
      for (let round = 0; round < 3; round++) {
        await pass(leaseMs);
        assert.equal(await holderOf(other), 'alice');
      }
      assert.equal(held.lost.aborted, false);
      assert.equal(isServed, false);
      await held.release();
      leaseOf(await settled(bob, 'bob has the lock', pass));
    },
  },
  {
    name: 'whoever gets the lock is superseded in turn by those who wait in that mode behind',
    async run({ one, other, pass }) {
      const held = await take(one, 'alice');
      const bob = ask(other, 'bob');
      await pass(30);
      const carol = ask(one, 'carol', { mode: 'supersede' });
      await until(() => held.recalled.aborted, 'alice is told', pass);
      await held.release();
      const second = leaseOf(await settled(bob, 'bob has the lock', pass));
      await until(() => second.recalled.aborted, 'bob is told', pass);
      assert.equal(reasonOf(second.recalled), 'superseded');
      await second.release();
      const third = leaseOf(await settled(carol, 'carol has the lock', pass));
      await pass(500);
      assert.equal(third.recalled.aborted, false);
    },
  },
  {
    name: 'a free lock is given at once to who would supersede, and later ones that wait leave it alone',
    async run({ one, other, pass }) {
      const lease = await take(one, 'alice', { mode: 'supersede' });
      const giveUp = new AbortController();
      const bob = ask(other, 'bob', { signal: giveUp.signal });
      assert.ok(isRefusal(await within(ask(other, 'carol', { mode: 'refuse' }), 'the refusal')));
      await pass(500);
      assert.equal(lease.recalled.aborted, false);
      giveUp.abort(new Error('bob left'));
      await assert.rejects(bob);
    },
  },
];

const operating: readonly RepositoryLocksPromise[] = [
  {
    name: 'held lists every lock, whoever holds it, with its token and its end',
    async run({ one, other, now }) {
      assert.equal((await one.held(never())).length, 0);
      const shop = await take(one, 'alice');
      const blog = await take(other, 'bob', { app: 'blog' });
      for (const locks of [one, other]) {
        const list = [...(await locks.held(never()))].sort((a, b) => a.app.localeCompare(b.app));
        assert.deepEqual(
          list.map(({ app, token, holder }) => [app, token, holder.user, holder.session]),
          [
            ['blog', blog.token, 'bob', 's-bob'],
            ['shop', shop.token, 'alice', 's-alice'],
          ],
        );
        for (const { holder, expiresAt } of list) assert.ok(holder.since <= now() && expiresAt > now() - 1);
      }
      await shop.release();
      const left = await other.held(never());
      assert.deepEqual([left.length, left[0]?.app], [1, 'blog']);
    },
  },
  {
    name: 'an operator who frees a lock has its holder told so, and it is free once that has let go, and not before',
    async run({ one, other, pass, leaseMs }) {
      const lease = await take(one, 'alice');
      const freed = await other.free('shop', never());
      assert.deepEqual(
        [freed?.app, freed?.token, freed?.holder.user, freed?.holder.session],
        ['shop', lease.token, 'alice', 's-alice'],
      );
      await until(() => lease.recalled.aborted, 'alice is told', pass);
      assert.equal(reasonOf(lease.recalled), 'lock-released');
      await pass(2 * leaseMs);
      assert.equal(await holderOf(other), 'alice');
      await lease.release();
      assert.equal(await holderOf(other), undefined);
    },
  },
  {
    name: 'freeing an app that nobody holds frees nothing, and asks nothing of who holds it next',
    async run({ one, other, pass }) {
      assert.equal(await other.free('shop', never()), undefined);
      const lease = await take(one, 'alice');
      await pass(500);
      assert.equal(lease.recalled.aborted, false);
    },
  },
  {
    name: 'who waits for a lock that an operator frees gets it, and is not asked to let go',
    async run({ one, other, pass }) {
      const held = await take(one, 'alice');
      const bob = ask(other, 'bob');
      await pass(30);
      await one.free('shop', never());
      await until(() => held.recalled.aborted, 'alice is told', pass);
      await held.release();
      const lease = leaseOf(await settled(bob, 'bob has the lock', pass));
      await pass(500);
      assert.equal(lease.recalled.aborted, false);
    },
  },
];

export const lockRecalling: readonly RepositoryLocksPromise[] = [...superseding, ...operating];
