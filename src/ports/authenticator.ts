import type { CertifiedProof } from '../domain/proof.js';
import type { PublicKey } from '../domain/public-key.js';
import type { Refusal } from '../domain/refusal.js';
import type { Connection } from '../domain/session.js';
import type { User } from '../domain/user.js';

/**
 * Who holds this key, or is named by this certificate?
 *
 * A look-up, not a log-in: it may be asked for what was merely offered. Identity exists only once the caller has
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

  /**
   * The user whom a certificate names, whoever its key is registered for.
   *
   * @param proof its certificate is in force, of an authority that is trusted: that is not for this port to judge.
   * @param signal as above.
   * @returns the user of that very name, or the refusal `certificate`: `unknown-user`, where there is none who may log
   *   in, or `not-taken`, where the platform knows nobody by a certificate.
   * @throws Fault as above.
   */
  identifyCertified(proof: CertifiedProof, connection: Connection, signal: AbortSignal): Promise<User | Refusal>;
}
