import type { AppAccess, Grant } from '../domain/grant.js';
import type { Refusal } from '../domain/refusal.js';
import type { Caller, Session } from '../domain/session.js';

/** May they, on this app? Asked before any lock is taken and any dyno exists. */
export interface AccessControl {
  /**
   * Asked anew for each request, over connections of any age: a user or key that was removed meanwhile is refused
   * (`key-removed`). Unknown and forbidden apps are refused in the same words after the same work.
   *
   * @param signal aborts the question; the promise then rejects with the signal's reason.
   * @throws Fault (stage `authorize`) when it can't be known.
   */
  authorize(session: Session, signal: AbortSignal): Promise<Grant | Refusal>;

  /**
   * The apps the caller may use, by name; undefined where this platform can't list them.
   *
   * @param signal aborts the question; the promise then rejects with the signal's reason.
   * @throws Fault (stage `authorize`) when it can't be known.
   */
  list(caller: Caller, signal: AbortSignal): Promise<readonly AppAccess[] | undefined>;
}
