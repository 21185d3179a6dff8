/** What waiting for a lock means, and giving up waiting. */
import assert from 'node:assert/strict';
import { isRefusal } from '../domain/refusal.js';
import { gone, rejectionOf, settled, turns, until } from './contract.js';
import { ask, holderOf, leaseOf, take } from './lock-driver.js';
import type { RepositoryLocksPromise } from './repository-locks.js';

const waiting: readonly RepositoryLocksPromise[] = [
  {
    name: 'who waits gets the lock when it is released, in this process and in another',
    async run({ one, other, pass }) {
      for (const locks of [one, other]) {
        const held = await take(one, 'alice');
        const bob = ask(locks, 'bob');
        await held.release();
        const lease = leaseOf(await settled(bob, 'bob has the lock', pass));
        assert.ok(lease.token > held.token);
        assert.equal(await holderOf(one), 'bob');
        await lease.release();
      }
    },
  },
  {
    name: 'those who wait in one process are served in the order they came',
    async run({ one, pass }) {
      const held = await take(one, 'alice');
      const served: string[] = [];
      const writers = ['bob', 'carol', 'dave', 'erin'].map(async (user) => {
        const lease = leaseOf(await ask(one, user));
        served.push(user);
        await lease.release();
      });
      await pass(50);
      await held.release();
      await settled(Promise.all(writers), 'all were served', pass);
      assert.deepEqual(served, ['bob', 'carol', 'dave', 'erin']);
    },
  },
  {
    name: 'those who wait in several processes are served in the order they came',
    async run({ one, other, pass }) {
      const held = await take(one, 'alice');
      const served: string[] = [];
      const writers: Promise<void>[] = [];
      for (const [index, user] of ['bob', 'carol', 'dave', 'erin', 'frank'].entries()) {
        const serve = async (): Promise<void> => {
          const lease = leaseOf(await ask(index % 2 === 0 ? other : one, user));
          served.push(user);
          await lease.release();
        };
        writers.push(serve());
        await pass(30);
      }
      await held.release();
      await settled(Promise.all(writers), 'all were served', pass);
      assert.deepEqual(served, ['bob', 'carol', 'dave', 'erin', 'frank']);
    },
  },
  {
    name: 'who comes while others wait waits behind them',
    async run({ one, pass }) {
      const held = await take(one, 'alice');
      const bob = ask(one, 'bob');
      const released = held.release();
      const late = ask(one, 'late');
      await released;
      await settled(bob, 'bob has the lock', pass);
      assert.equal(await holderOf(one), 'bob');
      await leaseOf(await bob).release();
      await settled(late, 'the late one has the lock', pass);
    },
  },
  {
    name: 'who waits is told who holds the lock once at the beginning, and again only when the holder changes',
    async run({ one, pass }) {
      const held = await take(one, 'alice');
      const told: string[] = [];
      const bob = ask(one, 'bob');
      const carol = ask(one, 'carol', { onWaiting: (holder) => told.push(`${holder.user} ${holder.session}`) });
      await until(() => told.length > 0, 'carol is told', pass);
      for (let round = 0; round < 4; round++) await pass(300);
      assert.deepEqual(told, ['alice s-alice']);
      await held.release();
      const lease = leaseOf(await settled(bob, 'bob has the lock', pass));
      await until(() => told.length > 1, 'carol is told anew', pass);
      for (let round = 0; round < 4; round++) await pass(300);
      assert.deepEqual(told, ['alice s-alice', 'bob s-bob']);
      await lease.release();
      await settled(carol, 'carol has the lock', pass);
      assert.equal(told.length, 2);
    },
  },
  {
    name: 'the holder that is shown has held since the lock was taken, not since the wait for it began',
    async run({ one, now, pass }) {
      const held = await take(one, 'alice');
      const bob = ask(one, 'bob');
      await pass(100);
      const released = now();
      await held.release();
      await settled(bob, 'bob has the lock', pass);
      const answer = await ask(one, 'probe', { mode: 'refuse' });
      assert.ok(isRefusal(answer) && answer.holder.since >= released);
    },
  },
  {
    name: 'who waited as long as they may is refused, naming the present holder and how long they waited',
    async run({ one, other, now, pass }) {
      await take(one, 'alice');
      for (const locks of [one, other]) {
        const begun = now();
        const answer = await settled(ask(locks, 'bob', { waitMs: 400 }), 'the refusal', pass);
        assert.ok(isRefusal(answer), 'it was to be refused');
        assert.equal(answer.holder.user, 'alice');
        assert.ok(answer.waitedMs >= 399 && answer.waitedMs <= now() - begun + 1, `waited ${answer.waitedMs} ms`);
      }
    },
  },
  {
    name: 'who was refused after waiting is out of the queue: those behind move up',
    async run({ one, pass }) {
      const held = await take(one, 'alice');
      const bob = ask(one, 'bob', { waitMs: 100 });
      const carol = ask(one, 'carol');
      assert.ok(isRefusal(await settled(bob, 'the refusal', pass)));
      await held.release();
      leaseOf(await settled(carol, 'carol has the lock', pass));
      assert.equal(await holderOf(one), 'carol');
    },
  },
  {
    name: 'who may wait no time at all is refused at once',
    async run({ one, pass }) {
      await take(one, 'alice');
      const answer = await settled(ask(one, 'bob', { waitMs: 0 }), 'the refusal', pass);
      assert.ok(isRefusal(answer) && answer.kind === 'busy');
    },
  },
];

const givingUp: readonly RepositoryLocksPromise[] = [
  {
    name: 'who had given up before asking is rejected with the reason of the signal, and nothing is held',
    async run({ one, other }) {
      const signal = gone();
      assert.equal(await rejectionOf(ask(one, 'alice', { signal })), signal.reason);
      assert.equal(await holderOf(other), undefined);
    },
  },
  {
    name: 'who gives up waiting is rejected with the reason of the signal and never gets the lock: those behind move up',
    async run({ one, other, pass }) {
      for (const locks of [one, other]) {
        const held = await take(one, 'alice');
        const giveUp = new AbortController();
        const bob = ask(locks, 'bob', { signal: giveUp.signal });
        const carol = ask(locks, 'carol');
        await pass(50);
        giveUp.abort(new Error('bob left'));
        assert.equal(await rejectionOf(bob), giveUp.signal.reason);
        await held.release();
        const lease = leaseOf(await settled(carol, 'carol has the lock', pass));
        await lease.release();
        assert.equal(await holderOf(one), undefined);
      }
    },
  },
  {
    name: 'giving up in the moment of the release leaves the lock either with the one who gave up or free, never stuck',
    async run({ one, other, pass }) {
      for (const abortFirst of [true, false]) {
        const held = await take(one, 'alice');
        const giveUp = new AbortController();
        const bob = ask(one, 'bob', { signal: giveUp.signal }).then(
          (answer) => leaseOf(answer).release(),
          (reason: unknown) => assert.equal(reason, giveUp.signal.reason),
        );
        await pass(50);
        if (abortFirst) giveUp.abort(new Error('bob left'));
        const released = held.release();
        if (!abortFirst) giveUp.abort(new Error('bob left'));
        await released;
        await settled(bob, 'bob is served or gone', pass);
        const carol = leaseOf(await settled(ask(other, 'carol'), 'carol has the lock', pass));
        await carol.release();
      }
    },
  },
  {
    name: 'who gives up while a free lock is being given leaves it free',
    async run({ one, other }) {
      const giveUp = new AbortController();
      const alice = ask(one, 'alice', { signal: giveUp.signal }).then(
        (answer) => leaseOf(answer).release(),
        (reason: unknown) => assert.equal(reason, giveUp.signal.reason),
      );
      giveUp.abort(new Error('alice left'));
      await alice;
      assert.equal(await holderOf(other), undefined);
    },
  },
  {
    name: 'once the lease is given, the signal has no more effect on it',
    async run({ one, other, pass }) {
      const giveUp = new AbortController();
      const lease = await take(one, 'alice', { signal: giveUp.signal });
      giveUp.abort(new Error('too late'));
      await pass(100);
      await turns();
      assert.equal(lease.lost.aborted, false);
      assert.equal(await holderOf(other), 'alice');
    },
  },
];

export const lockWaiting: readonly RepositoryLocksPromise[] = [...waiting, ...givingUp];
