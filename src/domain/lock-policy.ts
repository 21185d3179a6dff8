import { isWrite, type GitService } from './git-request.js';

/**
 * What a writer does when another one holds the app: wait its turn, be refused at once, or have the other one ended and
 * take its place.
 */
export type LockMode = 'wait' | 'refuse' | 'supersede';

export const LOCK_MODES = ['wait', 'refuse', 'supersede'] as const satisfies readonly LockMode[];

/** Who holds the lock of an app. Shown to those who wait. */
export interface LockHolder {
  readonly user: string;
  /** Session id of the holder. */
  readonly session: string;
  /** When the lock was taken, in milliseconds since the epoch. */
  readonly since: number;
}

/** Why a holder is asked to let go of a lock that is still its own. */
export type LockRecall = 'superseded' | 'lock-released';

/** What follows from how long a lease lasts, in milliseconds. */
export interface LeaseTimes {
  /** A lease that nobody renews has run out after so long. */
  readonly leaseMs: number;
  readonly renewEveryMs: number;
  /** So long before its end a lease that could not be renewed counts as lost. */
  readonly lostBeforeEndMs: number;
  /** How long a dyno may clean up whose lease was lost; as long, at least, is for killing it. */
  readonly graceMs: number;
}

/** The dyno of a lost lease is dead before another one can have the lock. */
export function leaseTimes(leaseMs: number): LeaseTimes {
  return {
    leaseMs,
    renewEveryMs: Math.floor(leaseMs / 4),
    lostBeforeEndMs: Math.ceil(leaseMs / 3),
    graceMs: Math.floor(leaseMs / 6),
  };
}

/** How long the dyno of a lost lease may clean up that ends in so long by itself: never beyond, as then another may write. */
export function graceWithin(leftMs: number, { graceMs }: LeaseTimes): number {
  return Math.max(0, Math.min(graceMs, leftMs - graceMs));
}

/** Writers only: readers never wait. */
export function needsLock(service: GitService): boolean {
  return isWrite(service);
}
