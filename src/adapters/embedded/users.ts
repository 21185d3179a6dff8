import type { Clock } from '../../ports/clock.js';
import { isUserName } from '../../domain/user.js';
import type { Database } from '../sqlite/database.js';
import { PlatformError } from './platform-error.js';
import { revoke } from './revocations.js';

export interface UserRecord {
  readonly name: string;
  readonly createdAt: number;
  readonly keys: number;
  readonly apps: number;
}

/** The users of the embedded platform, as an operator manages them. */
export class Users {
  readonly #db: Database;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Database, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  /** @throws PlatformError `bad-name`, `user-exists`. */
  add(name: string): void {
    if (!isUserName(name)) {
      throw new PlatformError(
        'bad-name',
        `'${name}' can't name a user. A name has at most 32 lower-case letters, digits, '.', '_' and '-', ` +
          'and begins with a letter or digit.',
      );
    }
    const added = this.#db
      .prepare('INSERT INTO users (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING')
      .run(name, this.#clock.now());
    if (added.changes === 0) {
      throw new PlatformError(
        'user-exists',
        `There is a user '${name}' already. To give them a key: key add ${name} FILE`,
      );
    }
  }

  list(): readonly UserRecord[] {
    return this.#db
      .prepare<[], UserRecord>(
        `SELECT name, created_at AS createdAt,
           (SELECT count(*) FROM keys WHERE user = name) AS keys,
           (SELECT count(*) FROM apps WHERE owner = users.name) AS apps
         FROM users ORDER BY name`,
      )
      .all();
  }

  has(name: string): boolean {
    return this.#db.prepare('SELECT 1 FROM users WHERE name = ?').get(name) !== undefined;
  }

  /** @throws PlatformError `no-such-user`. */
  require(name: string): void {
    if (!this.has(name))
      throw new PlatformError('no-such-user', `There is no user '${name}'. To add one: user add NAME`);
  }

  /**
   * Removes a user with their keys and what was shared with them; their live connections end.
   * @throws PlatformError `no-such-user`, `user-owns-apps`.
   */
  remove(name: string): void {
    this.#db
      .transaction(() => {
        this.require(name);
        const owned = this.#db
          .prepare<[string], { name: string }>('SELECT name FROM apps WHERE owner = ? ORDER BY name')
          .all(name)
          .map((app) => app.name);
        if (owned.length > 0) {
          throw new PlatformError(
            'user-owns-apps',
            `'${name}' owns ${owned.join(', ')}. Destroy each of them (app destroy NAME) or pass it on ` +
              '(app set NAME --owner USER) first.',
          );
        }
        revoke(this.#db, { user: name }, this.#clock.now());
        this.#db.prepare('DELETE FROM users WHERE name = ?').run(name);
      })
      .immediate();
  }
}
