import type { ListedSession } from '../domain/listed-session.js';

/**
 * The live sessions of all gitmouths that share a state, for operators. Each gitmouth reports its own through its own
 * handle, again and again.
 */
export interface SessionRegistry {
  /**
   * Shows these in the place of what this handle showed before. They are shown until they are replaced, for
   * `REPORT_LASTS_MS` at most.
   *
   * @returns the ids among them that somebody has asked to end; again with each report until they are gone.
   * @throws Error when the state can't be reached.
   */
  report(own: readonly ListedSession[]): Promise<readonly string[]>;

  /**
   * The sessions of all handles, the longest running first. Those of a process that is known to be dead are not among
   * them.
   *
   * @throws Error when the state can't be reached.
   */
  list(): Promise<readonly ListedSession[]>;

  /**
   * Asks the gitmouth that serves it to end a session.
   *
   * @returns whether there is such a session.
   * @throws Error when the state can't be reached.
   */
  end(id: string): Promise<boolean>;

  /** Shows nothing of this handle any more. Idempotent; never rejects: what can't be taken away runs out. */
  close(): Promise<void>;
}
