import type { AppAccess } from './grant.js';
import type { LockHolder } from './lock-policy.js';
import type { Refusal } from './refusal.js';
import type { Caller } from './session.js';

/** What the door answers of itself, without an app and without a dyno. */
export type Question = 'whoami' | 'doctor';

/** The question that a command asks; undefined for everything else. Its name alone: nothing may follow. */
export function parseQuestion(command: string): Question | undefined {
  const name = command.trim();
  return name === 'whoami' || name === 'doctor' ? name : undefined;
}

/** A push lock that another push may have to wait for. */
export interface ShownLock {
  readonly app: string;
  readonly holder: LockHolder;
}

/** The answer to a question. */
export interface SelfReport {
  readonly question: Question;
  readonly caller: Caller;
  /** Undefined where the platform can't list them; `unknown` where it could not be asked now. */
  readonly apps: readonly AppAccess[] | 'unknown' | undefined;
  /** Those held of the apps that the caller may write to; of a doctor alone. `unknown` as above. */
  readonly locks: readonly ShownLock[] | 'unknown';
  /** What the caller would be refused now whatever they ask for; of a doctor alone. */
  readonly refusal?: Refusal;
  /** The software of this door, and its version. */
  readonly server: string;
}

/** Whether something could not be known. */
export function isPartial({ apps, locks }: SelfReport): boolean {
  return apps === 'unknown' || locks === 'unknown';
}
