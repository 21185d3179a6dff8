import type { Dyno } from '../domain/dyno.js';
import type { Grant } from '../domain/grant.js';
import type { Refusal } from '../domain/refusal.js';
import type { Session } from '../domain/session.js';
import type { Usage } from '../domain/usage.js';
import type { Outcome } from '../domain/verdict.js';
import type { Lease } from './repository-locks.js';

/** Has a dyno made, with the app's repository mounted, and gives it back. */
export interface Provisioner {
  /**
   * @param lease the writer's; undefined for readers.
   * @param signal aborts the call; the promise then rejects with the signal's reason and nothing is left behind.
   * @throws Fault (stage `provision`).
   */
  provision(grant: Grant, lease: Lease | undefined, session: Session, signal: AbortSignal): Promise<Dyno | Refusal>;

  /**
   * Gives the dyno back, while a writer's lease is still held, whatever the outcome. Idempotent.
   *
   * @param usage what the session took until now.
   * Not cancellable: it is the cleaning up.
   * @throws Fault (stage `release`) when something could not be cleaned up; the dyno is given back all the same.
   */
  release(dyno: Dyno, outcome: Outcome, usage: Usage): Promise<void>;
}
