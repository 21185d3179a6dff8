import { randomUUID } from 'node:crypto';
import { leaseTimes, type LeaseTimes, type LockHolder, type LockMode } from '../../domain/lock-policy.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Clock } from '../../ports/clock.js';
import type { HeldLock, Lease, RepositoryLocks } from '../../ports/repository-locks.js';
import type { LockTable, TableAnswer, Ticket } from './lock-table.js';
import { StoredLease } from './stored-lease.js';

/** How soon a lock is noticed that another process gave back, in milliseconds. */
const POLL_MS = 100;

/** Locks in a table that many processes share: first come first served over all of them. */
export class StoredLocks implements RepositoryLocks {
  readonly #table: LockTable;
  readonly #clock: Clock;
  readonly #times: LeaseTimes;
  /** Those of this process who wait for an app: woken when a lease of this process is released. */
  readonly #naps = new Map<string, Set<AbortController>>();

  constructor(table: LockTable, clock: Clock, leaseMs: number) {
    this.#table = table;
    this.#clock = clock;
    this.#times = leaseTimes(leaseMs);
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
    const { user, session } = holder;
    let ticket: Ticket = { id: randomUUID(), user, session, mode: waitMs <= 0 ? 'refuse' : mode };
    const begun = this.#clock.monotonic();
    let told: LockHolder | undefined;
    let lease: Lease | undefined;
    try {
      for (;;) {
        const askedAt = this.#clock.monotonic();
        const answer = await this.#table.ask(app, ticket);
        if (answer.kind === 'taken') {
          lease = this.#lease(app, answer.token, askedAt);
          if (!signal.aborted) return lease;
          await lease.release();
          throw signal.reason;
        }
        signal.throwIfAborted();
        const waitedMs = ticket.mode === 'refuse' ? 0 : this.#clock.monotonic() - begun;
        if (ticket.mode === 'refuse' || waitedMs >= waitMs) {
          return { kind: 'busy', app, holder: inTheWay(answer), waitedMs };
        }
        if (answer.kind === 'held' && !isSame(answer.holder, told)) onWaiting((told = answer.holder));
        if (answer.turn !== undefined) ticket = { ...ticket, turn: answer.turn };
        await this.#nap(app, Math.min(POLL_MS, waitMs - waitedMs), signal);
        signal.throwIfAborted();
      }
    } finally {
      // Not waited for: where the table is out of reach, whoever asked is told at once, and its ticket runs out.
      if (lease === undefined) this.#table.leave(app, ticket).catch(() => undefined);
    }
  }

  async held(signal: AbortSignal): Promise<readonly HeldLock[]> {
    signal.throwIfAborted();
    const locks = await this.#table.held();
    signal.throwIfAborted();
    return locks;
  }

  async free(app: string, signal: AbortSignal): Promise<HeldLock | undefined> {
    signal.throwIfAborted();
    return this.#table.recall(app, 'lock-released');
  }

  #lease(app: string, token: number, askedAt: number): Lease {
    return new StoredLease({ app, token, askedAt }, this.#table, this.#clock, this.#times, () => {
      for (const nap of this.#naps.get(app) ?? []) nap.abort();
    });
  }

  /** Waits for a moment, or until a lease of this process is released or the signal aborts. */
  async #nap(app: string, ms: number, signal: AbortSignal): Promise<void> {
    const nap = new AbortController();
    const naps = this.#naps.get(app) ?? new Set();
    this.#naps.set(app, naps.add(nap));
    await this.#clock.sleep(ms, AbortSignal.any([nap.signal, signal])).catch(() => undefined);
    naps.delete(nap);
    if (naps.size === 0) this.#naps.delete(app);
  }
}

function inTheWay(answer: Exclude<TableAnswer, { kind: 'taken' }>): LockHolder {
  return answer.kind === 'held' ? answer.holder : answer.to;
}

function isSame(one: LockHolder, other: LockHolder | undefined): boolean {
  return one.session === other?.session && one.since === other.since;
}
