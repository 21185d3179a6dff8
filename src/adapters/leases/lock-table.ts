import type { LockHolder, LockMode, LockRecall } from '../../domain/lock-policy.js';
import type { HeldLock } from '../../ports/repository-locks.js';

/** One who wants an app's lock, for as long as it asks. */
export interface Ticket {
  /** No other asker's, of this process or any other. */
  readonly id: string;
  readonly user: string;
  readonly session: string;
  readonly mode: LockMode;
  /** Its turn as it was told when it asked before: kept, even where the table has forgotten it. */
  readonly turn?: number;
}

export type TableAnswer =
  | { readonly kind: 'taken'; readonly token: number }
  /** `turn` is undefined for one who does not wait. */
  | { readonly kind: 'held'; readonly holder: LockHolder; readonly turn: number | undefined }
  /** Free for the moment, it belongs to one who came before. */
  | { readonly kind: 'promised'; readonly to: LockHolder; readonly turn: number | undefined };

/** What a lease is told that is still held. */
export interface Standing {
  readonly recall?: LockRecall;
}

/**
 * The locks of all processes, in one place. Time is the table's own, as far as what it keeps is concerned.
 * Every method rejects with a Fault (stage `lock`) when the table can't be reached.
 */
export interface LockTable {
  /**
   * Takes the lock where it is free and nobody came before; else notes that this one waits (but in mode `refuse`), until
   * it has not asked again for `WAITER_MS`. In mode `supersede` the present holder is asked to let go.
   */
  ask(app: string, ticket: Ticket): Promise<TableAnswer>;
  /** The ticket is out of the queue, and the lock that it may have got without having been told is given back. */
  leave(app: string, ticket: Ticket): Promise<void>;
  /** How a lease stands, and with `extend` its end moved on; undefined when it has run out, or the lock is another's. */
  check(app: string, token: number, extend: boolean): Promise<Standing | undefined>;
  /** Gives a lock back, where it is still held by this token. */
  remove(app: string, token: number): Promise<void>;
  held(): Promise<readonly HeldLock[]>;
  /** Asks the holder to let go; undefined when there is none. */
  recall(app: string, reason: LockRecall): Promise<HeldLock | undefined>;
}

/** Who waits and has not asked for so long is gone, or stands still: others go before it. In milliseconds. */
export const WAITER_MS = 3_000;
