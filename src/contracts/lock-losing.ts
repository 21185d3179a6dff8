/** What losing a lock means, and an outage. */
import assert from 'node:assert/strict';
import { assertFault, never, offered, rejectionOf, settled, until, within } from './contract.js';
import { ask, holderOf, leaseOf, reasonOf, take } from './lock-driver.js';
import type { RepositoryLocksPromise } from './repository-locks.js';

export const lockLosing: readonly RepositoryLocksPromise[] = [
  {
    name: 'a lease that runs out tells its holder, and the lock is free for others with a greater token',
    async run({ one, other, pass, expire }) {
      const lease = await take(one, 'alice');
      await expire('shop');
      const next = leaseOf(await settled(ask(other, 'bob'), 'bob has the lock', pass));
      await until(() => lease.lost.aborted, 'alice is told', pass);
      assert.equal(reasonOf(lease.lost), 'lease-lost');
      assert.equal(lease.recalled.aborted, false);
      assert.equal(lease.graceMs(), 0, 'another has it: no time is left');
      assert.ok(next.token > lease.token);
      assert.equal(next.lost.aborted, false);
    },
  },
  {
    name: 'a lease that runs out is lost for its holder even when nobody else wants the lock',
    async run({ one, pass, expire }) {
      const lease = await take(one, 'alice');
      await expire('shop');
      await until(() => lease.lost.aborted, 'alice is told', pass);
    },
  },
  {
    name: 'a lease that was recalled and runs out before its holder has let go is lost as any other',
    async run({ one, other, pass, expire }) {
      const lease = await take(one, 'alice');
      await other.free('shop', never());
      await until(() => lease.recalled.aborted, 'alice is asked to let go', pass);
      await expire('shop');
      await until(() => lease.lost.aborted, 'alice is told of the loss', pass);
      assert.equal(reasonOf(lease.lost), 'lease-lost');
    },
  },
  {
    name: 'releasing a lost lease does not take the lock from the writer who has it now',
    async run({ one, other, pass, expire }) {
      const lease = await take(one, 'alice');
      await expire('shop');
      leaseOf(await settled(ask(other, 'bob'), 'bob has the lock', pass));
      await lease.release();
      assert.equal(await holderOf(one), 'bob');
    },
  },
  {
    name: 'losing one app leaves the leases of others alone',
    async run({ one, pass, expire }) {
      const shop = await take(one, 'alice', { app: 'shop' });
      const blog = await take(one, 'alice', { app: 'blog' });
      await expire('shop');
      await until(() => shop.lost.aborted, 'the loss is told', pass);
      assert.equal(blog.lost.aborted, false);
      assert.equal(await holderOf(one, 'blog'), 'alice');
    },
  },
  {
    name: 'an outage is thrown as a fault and never answered as busy',
    needs: 'breakDown',
    async run({ one, breakDown }) {
      await offered(breakDown, 'breakDown')();
      assertFault(await rejectionOf(ask(one, 'alice', { mode: 'refuse' })), 'lock');
      assertFault(await rejectionOf(one.held(never())), 'lock');
      assertFault(await rejectionOf(one.free('shop', never())), 'lock');
    },
  },
  {
    name: 'releasing never rejects, not even when the state behind the locks is out of reach',
    needs: 'breakDown',
    async run({ one, breakDown }) {
      const lease = await take(one, 'alice');
      await offered(breakDown, 'breakDown')();
      await within(lease.release(), 'the release');
      assert.equal(lease.lost.aborted, false);
    },
  },
];
