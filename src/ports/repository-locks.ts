import type { LockHolder, LockMode } from '../domain/lock-policy.js';
import type { Refusal } from '../domain/refusal.js';

/** One writer at a time for each app. Readers take no part. */
export interface RepositoryLocks {
  /**
   * Takes the app's lock. In the modes `wait` and `supersede` it is waited for, first come first served among all who
   * wait, in this process and others; who waits in mode `supersede` has each holder before it ended.
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

  /**
   * The locks that are held now, by whichever process, in no order.
   * @throws Fault (stage `lock`).
   */
  held(signal: AbortSignal): Promise<readonly HeldLock[]>;

  /**
   * Asks the holder of an app's lock to let go: its session is ended. The lock is free once that has ended or its lease
   * has run out, and not before.
   * @returns the lock as it is held; undefined when it is free.
   * @throws Fault (stage `lock`).
   */
  free(app: string, signal: AbortSignal): Promise<HeldLock | undefined>;
}

/** A lock, as one sees it who does not hold it. */
export interface HeldLock {
  readonly app: string;
  readonly token: number;
  readonly holder: LockHolder;
  /** When it is free if its holder is gone, in milliseconds since the epoch; a living holder moves it on. */
  readonly expiresAt: number;
}

/** A held lock. It renews itself for as long as the process lives. */
export interface Lease {
  readonly app: string;
  /**
   * Grows with every lease of this app, so that a late writer can be told from the present one: also where what was
   * given before is forgotten, as it is never less than the time in milliseconds.
   */
  readonly token: number;
  /**
   * Aborts with a Departure (`superseded`, `lock-released`) when the holder is asked to let go. The lock stays its own,
   * and is renewed, until it is released. Never aborts after `release`.
   */
  readonly recalled: AbortSignal;
  /**
   * Aborts with a Departure (`lease-lost`) when whoever writes must stop at once, as the lock is, or is about to be, its
   * own no more: whether it was recalled before or not. Never aborts after `release`.
   */
  readonly lost: AbortSignal;
  /**
   * How long from now, in milliseconds, what writes may take to clean up once the lease is lost: 0 where another may have
   * the lock already.
   */
  graceMs(): number;
  /** Gives the lock back. Idempotent; never rejects. */
  release(): Promise<void>;
}
