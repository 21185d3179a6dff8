import assert from 'node:assert/strict';
import type { LockHolder, LockMode } from '../../src/domain/lock-policy.js';
import { isRefusal } from '../../src/domain/refusal.js';
import type { Lease, RepositoryLocks } from '../../src/ports/repository-locks.js';
import {
  casesOf,
  gone,
  assertFault,
  never,
  offered,
  rejectionOf,
  settled,
  turns,
  until,
  within,
  type ContractCase,
  type Harness,
  type Promised,
} from './contract.js';

/** Two independent handles on the same locks, as two processes have them, and time in the tester's hand. */
export interface RepositoryLocksHarness extends Harness {
  readonly one: RepositoryLocks;
  readonly other: RepositoryLocks;
  /** How long a lease lasts that is not renewed. */
  readonly leaseMs: number;
  /** The adapter's time. */
  now(): number;
  /** Lets the adapter's time pass: a fake clock is advanced, a real one waited for. */
  pass(ms: number): Promise<void>;
  /**
   * Has the lease that now holds the app run out, as when its process was paused for too long, or an operator freed
   * the lock.
   */
  expire(app: string): Promise<void>;
  /** From now on the state behind the locks can't be reached. */
  readonly breakDown?: () => Promise<void>;
}

export type RepositoryLocksLack = 'breakDown';

export function repositoryLocksContract(
  open: () => Promise<RepositoryLocksHarness>,
  lacks: readonly RepositoryLocksLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...holding, ...waiting, ...givingUp, ...losing]);
}

const WAIT_MS = 600_000;

interface Asking {
  readonly app?: string;
  readonly mode?: LockMode;
  readonly waitMs?: number;
  readonly onWaiting?: (holder: LockHolder) => void;
  readonly signal?: AbortSignal;
}

function ask(locks: RepositoryLocks, user: string, asking: Asking = {}) {
  const { app = 'shop', mode = 'wait', waitMs = WAIT_MS, onWaiting = () => undefined, signal = never() } = asking;
  return locks.acquire(app, { user, session: `s-${user}`, since: 0 }, mode, waitMs, onWaiting, signal);
}

function leaseOf(answer: Awaited<ReturnType<RepositoryLocks['acquire']>>): Lease {
  assert.ok(!isRefusal(answer), 'a lease was to be given, and it was busy');
  return answer;
}

/** A lock that is free, taken. */
async function take(locks: RepositoryLocks, user: string, asking: Asking = {}): Promise<Lease> {
  return leaseOf(await within(ask(locks, user, asking), `the lock for ${user}`));
}

/** Who holds the app, as a writer who may not wait is told; undefined when it is free, and stays so. */
async function holderOf(locks: RepositoryLocks, app = 'shop'): Promise<string | undefined> {
  const answer = await within(ask(locks, 'probe', { app, mode: 'refuse' }), 'the answer to a probe');
  if (isRefusal(answer)) return answer.holder.user;
  await answer.release();
  return undefined;
}

const holding: readonly Promised<RepositoryLocksHarness, RepositoryLocksLack>[] = [
  {
    name: 'a free lock is given at once, with nothing said about waiting',
    async run({ one }) {
      const told: LockHolder[] = [];
      const lease = await take(one, 'alice', { onWaiting: (holder) => told.push(holder) });
      assert.equal(lease.app, 'shop');
      assert.equal(lease.lost.aborted, false);
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

const waiting: readonly Promised<RepositoryLocksHarness, RepositoryLocksLack>[] = [
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
      for (let round = 0; round < 10; round++) await pass(1000);
      assert.deepEqual(told, ['alice s-alice']);
      await held.release();
      const lease = leaseOf(await settled(bob, 'bob has the lock', pass));
      await until(() => told.length > 1, 'carol is told anew', pass);
      for (let round = 0; round < 10; round++) await pass(1000);
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

const givingUp: readonly Promised<RepositoryLocksHarness, RepositoryLocksLack>[] = [
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

const losing: readonly Promised<RepositoryLocksHarness, RepositoryLocksLack>[] = [
  {
    name: 'a lease that runs out tells its holder, and the lock is free for others with a greater token',
    async run({ one, other, pass, expire }) {
      const lease = await take(one, 'alice');
      await expire('shop');
      const next = leaseOf(await settled(ask(other, 'bob'), 'bob has the lock', pass));
      await until(() => lease.lost.aborted, 'alice is told', pass);
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
