import type { PublicKey } from '../domain/public-key.js';
import type { Refusal } from '../domain/refusal.js';
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
   * @param address of the client, for platforms that decide by it.
   * @param signal aborts the question; the promise then rejects with the signal's reason.
   * @returns the user, or the refusal `unknown-key`.
   * @throws Fault (stage `identify`) when it can't be known. Never a refusal in place of an outage.
   */
  identify(key: PublicKey, address: string, signal: AbortSignal): Promise<User | Refusal>;
}
