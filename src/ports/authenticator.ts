import type { PublicKey } from '../domain/public-key.js';
import type { Refusal } from '../domain/refusal.js';
import type { Connection } from '../domain/session.js';
import type { User } from '../domain/user.js';

/**
 * Who holds this key?
 *
 * A look-up, not a log-in: it may be asked for a key that was merely offered. Identity exists only once the caller has
 * verified a signature by that very key.
 */
export interface Authenticator {
  /**
   * @param key the key as offered or proven.
   * @param connection of the client, for platforms that decide by its address, or log its id.
   * @param signal aborts the question; the promise then rejects with the signal's reason.
   * @returns the user, or the refusal `unknown-key`.
   * @throws Fault (stage `identify`) when it can't be known. Never a refusal in place of an outage.
   */
  identify(key: PublicKey, connection: Connection, signal: AbortSignal): Promise<User | Refusal>;
}
