import type { RepositoryLocks } from '../ports/repository-locks.js';
import { casesOf, type ContractCase, type Harness, type Promised } from './contract.js';
import { lockHolding } from './lock-holding.js';
import { lockLosing } from './lock-losing.js';
import { lockRecalling } from './lock-recalling.js';
import { lockWaiting } from './lock-waiting.js';

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

export type RepositoryLocksPromise = Promised<RepositoryLocksHarness, RepositoryLocksLack>;

export function repositoryLocksContract(
  open: () => Promise<RepositoryLocksHarness>,
  lacks: readonly RepositoryLocksLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...lockHolding, ...lockWaiting, ...lockRecalling, ...lockLosing]);
}
