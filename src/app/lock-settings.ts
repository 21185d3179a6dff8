/** The settings of the lock that a push takes on its app. */
import { z } from 'zod';
import { LOCK_MODES, type LockMode } from '../domain/lock-policy.js';
import { seconds } from './setting-checks.js';

export const LOCK_SETTINGS = {
  GITMOUTH_PUSH_LOCK: [
    z.enum(LOCK_MODES, `must be ${LOCK_MODES.join(', ')}`),
    'wait',
    'What a push does while another one to its app runs: `wait` its turn, be told no (`refuse`), or end that one (`supersede`).',
  ],
  GITMOUTH_LOCK_LEASE_SECONDS: [
    seconds(2, 600),
    '30',
    "How long an app stays locked by a gitmouth that has died, in seconds. On one machine a dead one's locks are free at once.",
  ],
} as const;

export interface LockConfig {
  /** Where the platform's grant says nothing else. */
  readonly mode: LockMode;
  readonly leaseMs: number;
}

/** How the configuration is read: what is wrong is noted there, and read as undefined here. */
export interface LockSource {
  must<N extends keyof typeof LOCK_SETTINGS>(this: void, name: N): z.output<(typeof LOCK_SETTINGS)[N][0]>;
}

export function readLocks({ must }: LockSource): LockConfig {
  return { mode: must('GITMOUTH_PUSH_LOCK'), leaseMs: must('GITMOUTH_LOCK_LEASE_SECONDS') };
}
