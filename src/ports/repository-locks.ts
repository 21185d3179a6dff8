import type { LockHolder, LockMode } from '../domain/lock-policy.js';
import type { Refusal } from '../domain/refusal.js';

/** One writer at a time for each app. Readers take no part. */
export interface RepositoryLocks {
  /**
   * Takes the app's lock, waiting for it in mode `wait`, first come first served among those who wait in one process.
   *
   * @param onWaiting told who holds the lock, once when the wait begins and again whenever the holder changes.
   * @param signal gives the wait up: rejects with the signal's reason, and nothing is held. Once a lease is returned,
   *   the signal has no more effect on it.
   * @returns the lease, or the refusal `busy` (mode `refuse`, or when `waitMs` is over).
   * @throws Fault (stage `lock`).
   */
  acquire(
    app: string,
    holder: LockHolder,
    mode: LockMode,
    waitMs: number,
    onWaiting: (holder: LockHolder) => void,
    signal: AbortSignal,
  ): Promise<Lease | Extract<Refusal, { kind: 'busy' }>>;
}

/** A held lock. It renews itself for as long as the process lives. */
export interface Lease {
  readonly app: string;
  /** Grows with every lease of this app, so that a late writer can be told from the present one. */
  readonly token: number;
  /** Aborts when the lease is lost; whoever writes must stop at once. Never aborts after `release`. */
  readonly lost: AbortSignal;
  /** Gives the lock back. Idempotent; never rejects. */
  release(): Promise<void>;
}
