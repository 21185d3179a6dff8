import type { Clock } from '../../ports/clock.js';
import { isSecurityKey, parseSha256Fingerprint, type PublicKey } from '../../domain/public-key.js';
import { printable } from '../../domain/words/printable.js';
import type { Database } from '../sqlite/database.js';
import { PlatformError } from './platform-error.js';
import { revoke } from './revocations.js';
import type { Users } from './users.js';

export interface KeyRecord {
  readonly sha256: string;
  readonly algorithm: string;
  /** Safe to print. */
  readonly comment: string;
  readonly addedAt: number;
  /** Whether it must verify its user at each log-in. */
  readonly isVerifyRequired: boolean;
}

export interface KeyOptions {
  /** A security key logs in only where it has verified its user, by a PIN or a fingerprint. */
  readonly isVerifyRequired?: boolean;
}

/** The keys of the embedded platform's users. A key belongs to one user at most. */
export class Keys {
  readonly #db: Database;
  readonly #users: Users;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Database, users: Users, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#users = users;
    this.#clock = clock;
  }

  /**
   * @returns `already-there` when the user has this key; nothing changes then, but that it may be `tightened` to verify
   *   its user from the next log-in on.
   * @throws PlatformError `no-such-user`, `key-in-use`, `no-security-key` for what can't verify its user.
   */
  add(
    user: string,
    key: PublicKey,
    comment: string,
    { isVerifyRequired = false }: KeyOptions = {},
  ): 'added' | 'already-there' | 'tightened' {
    if (isVerifyRequired && !isSecurityKey(key.algorithm)) {
      throw new PlatformError(
        'no-security-key',
        `The key ${key.sha256} is of the type ${key.algorithm}, which can't verify its user: only security keys can ` +
          '(ssh-keygen -t ed25519-sk -O verify-required)',
      );
    }
    return this.#db
      .transaction(() => {
        this.#users.require(user);
        const holder = this.#holderOf(key.sha256);
        if (holder === user) return isVerifyRequired && this.#tighten(key.sha256) ? 'tightened' : 'already-there';
        if (holder !== undefined) {
          throw new PlatformError(
            'key-in-use',
            `The key ${key.sha256} belongs to '${holder}', and a key tells who somebody is: it can't have two users. ` +
              `To pass it on: key remove ${holder} ${key.sha256}`,
          );
        }
        this.#db
          .prepare(
            'INSERT INTO keys (sha256, user, algorithm, blob, comment, added_at, verify_required) VALUES (?, ?, ?, ?, ?, ?, ?)',
          )
          .run(
            ...[key.sha256, user, key.algorithm, Buffer.from(key.blob), comment],
            ...[this.#clock.now(), Number(isVerifyRequired)],
          );
        return 'added';
      })
      .immediate();
  }

  /** @throws PlatformError `no-such-user`. */
  list(user: string): readonly KeyRecord[] {
    this.#users.require(user);
    return this.#db
      .prepare<[string], Omit<KeyRecord, 'isVerifyRequired'> & { verifyRequired: 0 | 1 }>(
        'SELECT sha256, algorithm, comment, added_at AS addedAt, verify_required AS verifyRequired FROM keys ' +
          'WHERE user = ? ORDER BY added_at, sha256',
      )
      .all(user)
      .map(({ verifyRequired, ...record }) => ({
        ...record,
        comment: printable(record.comment),
        isVerifyRequired: verifyRequired === 1,
      }));
  }

  /**
   * Removes a key by its SHA-256 fingerprint, with or without `SHA256:`; connections that proved it end.
   * @throws PlatformError `no-such-user`, `no-such-key`.
   */
  remove(user: string, fingerprint: string): void {
    const sha256 = parseSha256Fingerprint(fingerprint);
    this.#db
      .transaction(() => {
        this.#users.require(user);
        if (sha256 === undefined || this.#holderOf(sha256) !== user) {
          throw new PlatformError(
            'no-such-key',
            `'${user}' has no key ${printable(fingerprint)}. Their keys: key list ${user}`,
          );
        }
        revoke(this.#db, { user, key: sha256 }, this.#clock.now());
        this.#db.prepare('DELETE FROM keys WHERE sha256 = ?').run(sha256);
      })
      .immediate();
  }

  /** Whether that was a change. */
  #tighten(sha256: string): boolean {
    const { changes } = this.#db
      .prepare('UPDATE keys SET verify_required = 1 WHERE sha256 = ? AND verify_required = 0')
      .run(sha256);
    return changes > 0;
  }

  #holderOf(sha256: string): string | undefined {
    return this.#db.prepare<[string], { user: string }>('SELECT user FROM keys WHERE sha256 = ?').get(sha256)?.user;
  }
}
