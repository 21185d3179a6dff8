/** Asking for locks from a contract case. */
import assert from 'node:assert/strict';
import type { LockHolder, LockMode } from '../domain/lock-policy.js';
import { isRefusal } from '../domain/refusal.js';
import { isDeparture } from '../domain/session-end.js';
import type { Lease, RepositoryLocks } from '../ports/repository-locks.js';
import { never, within } from './contract.js';

const WAIT_MS = 600_000;

interface Asking {
  readonly app?: string;
  readonly mode?: LockMode;
  readonly waitMs?: number;
  readonly onWaiting?: (holder: LockHolder) => void;
  readonly signal?: AbortSignal;
}

export function ask(locks: RepositoryLocks, user: string, asking: Asking = {}) {
  const { app = 'shop', mode = 'wait', waitMs = WAIT_MS, onWaiting = () => undefined, signal = never() } = asking;
  return locks.acquire(app, { user, session: `s-${user}`, since: 0 }, mode, waitMs, onWaiting, signal);
}

export function leaseOf(answer: Awaited<ReturnType<RepositoryLocks['acquire']>>): Lease {
  assert.ok(!isRefusal(answer), 'a lease was to be given, and it was busy');
  return answer;
}

/** Why a lease is recalled or lost, as its signal tells. */
export function reasonOf(signal: AbortSignal): string | undefined {
  const reason: unknown = signal.reason;
  return isDeparture(reason) ? reason.reason : undefined;
}

/** A lock that is free, taken. */
export async function take(locks: RepositoryLocks, user: string, asking: Asking = {}): Promise<Lease> {
  return leaseOf(await within(ask(locks, user, asking), `the lock for ${user}`));
}

/** Who holds the app, as a writer who may not wait is told; undefined when it is free, and stays so. */
export async function holderOf(locks: RepositoryLocks, app = 'shop'): Promise<string | undefined> {
  const answer = await within(ask(locks, 'probe', { app, mode: 'refuse' }), 'the answer to a probe');
  if (isRefusal(answer)) return answer.holder.user;
  await answer.release();
  return undefined;
}
