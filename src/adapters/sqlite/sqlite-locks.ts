import type { LockHolder, LockMode } from '../../domain/lock-policy.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Clock } from '../../ports/clock.js';
import type { Lease, RepositoryLocks } from '../../ports/repository-locks.js';
import { asking } from './asking.js';
import type { Database } from './database.js';
import { SqliteLease } from './sqlite-lease.js';
import { LeaseRows } from './lease-rows.js';

const LEASE_MS = 30_000;
/** How soon a lock is noticed that another process gave back. */
const POLL_MS = 100;

/** One who asks, in the order of asking. */
interface Turn {
  readonly holder: LockHolder;
  wake: () => void;
}

/** Leases in SQLite: fair among those who wait in this process, and kept from all other processes. */
export class SqliteLocks implements RepositoryLocks {
  readonly #rows: LeaseRows;
  readonly #clock: Clock;
  readonly #queues = new Map<string, Turn[]>();

  constructor(db: Database, clock: Clock, leaseMs = LEASE_MS) {
    this.#rows = new LeaseRows(db, clock, leaseMs);
    this.#clock = clock;
  }

  async acquire(
    app: string,
    holder: LockHolder,
    mode: LockMode,
    waitMs: number,
    onWaiting: (holder: LockHolder) => void,
    signal: AbortSignal,
  ): Promise<Lease | Extract<Refusal, { kind: 'busy' }>> {
    signal.throwIfAborted();
    const begun = this.#clock.now();
    const turn: Turn = { holder, wake: () => undefined };
    const queue = this.#enqueue(app, turn);
    try {
      let told: LockHolder | undefined;
      for (;;) {
        const present = this.#try(app, turn, queue);
        if (present instanceof SqliteLease) return present;
        const waitedMs = this.#clock.now() - begun;
        const remainingMs = mode === 'refuse' ? 0 : waitMs - waitedMs;
        // Free for the moment, the app belongs to whoever is first in the queue.
        if (remainingMs <= 0) {
          return { kind: 'busy', app, holder: present ?? queue[0]?.holder ?? holder, waitedMs };
        }
        if (present !== undefined && !isSame(present, told)) onWaiting((told = present));
        await this.#nap(turn, Math.min(POLL_MS, remainingMs), signal);
        signal.throwIfAborted();
      }
    } finally {
      this.#leave(app, turn, queue);
    }
  }

  #try(app: string, turn: Turn, queue: readonly Turn[]): SqliteLease | LockHolder | undefined {
    return asking('lock', () => {
      if (queue[0] !== turn) return this.#rows.holder(app);
      const answer = this.#rows.take(app, turn.holder.user, turn.holder.session);
      if (!('token' in answer)) return answer;
      return new SqliteLease(app, answer, this.#rows, this.#clock, () => this.#queues.get(app)?.[0]?.wake());
    });
  }

  #enqueue(app: string, turn: Turn): Turn[] {
    const queue = this.#queues.get(app) ?? [];
    queue.push(turn);
    this.#queues.set(app, queue);
    return queue;
  }

  #leave(app: string, turn: Turn, queue: Turn[]): void {
    queue.splice(queue.indexOf(turn), 1);
    if (queue.length === 0) this.#queues.delete(app);
    else queue[0]?.wake();
  }

  /** Waits for a moment, or until the turn is woken or the signal aborts. */
  async #nap(turn: Turn, ms: number, signal: AbortSignal): Promise<void> {
    const nap = new AbortController();
    turn.wake = () => nap.abort();
    signal.addEventListener('abort', turn.wake, { once: true });
    try {
      await this.#clock.sleep(ms, nap.signal).catch(() => undefined);
    } finally {
      signal.removeEventListener('abort', turn.wake);
      turn.wake = () => undefined;
    }
  }
}

function isSame(one: LockHolder, other: LockHolder | undefined): boolean {
  return one.session === other?.session && one.since === other.since;
}
