import type { CertifiedProof } from '../../domain/proof.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Connection } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import type { Authenticator } from '../../ports/authenticator.js';
import { asking } from '../sqlite/asking.js';
import type { Database } from '../sqlite/database.js';

export class EmbeddedAuthenticator implements Authenticator {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async identify(key: PublicKey, _connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    signal.throwIfAborted();
    // Looked up by fingerprint, but believed by the key itself: the fingerprint is what somebody computed.
    const holder = asking('identify', () =>
      this.#db
        .prepare<[string, Buffer], { name: string; verifyRequired: 0 | 1 }>(
          'SELECT user AS name, verify_required AS verifyRequired FROM keys WHERE sha256 = ? AND blob = ?',
        )
        .get(key.sha256, Buffer.from(key.blob)),
    );
    if (holder === undefined) return { kind: 'unknown-key' };
    const { name, verifyRequired } = holder;
    return verifyRequired === 1 ? { name, needsVerification: true } : { name };
  }

  async identifyCertified(
    { user }: CertifiedProof,
    _connection: Connection,
    signal: AbortSignal,
  ): Promise<User | Refusal> {
    signal.throwIfAborted();
    const found = asking('identify', () => this.#db.prepare('SELECT 1 FROM users WHERE name = ?').get(user));
    return found !== undefined ? { name: user } : { kind: 'certificate', problem: { kind: 'unknown-user', user } };
  }
}
