import type { Clock } from '../../ports/clock.js';
import { isNewAppName } from '../../domain/access-policy.js';
import { isBranchName } from '../../domain/branch-name.js';
import { printable } from '../../domain/words/printable.js';
import type { Database } from '../sqlite/database.js';
import { PlatformError } from './platform-error.js';
import type { Users } from './users.js';

export interface AppRecord {
  readonly name: string;
  readonly owner: string;
  /** The deployed branch, once there is one. */
  readonly branch?: string;
  readonly archive: boolean;
  /** Made by a push, or an import, that has not ended yet. */
  readonly provisional: boolean;
  readonly createdAt: number;
  readonly shares: readonly { readonly user: string; readonly access: 'read' | 'write' }[];
}

interface AppRow {
  readonly name: string;
  readonly owner: string;
  readonly branch: string | null;
  readonly archive: number;
  readonly provisional: number;
  readonly createdAt: number;
}

const COLUMNS = 'name, owner, branch, archive, provisional, created_at AS createdAt';

/** The apps of the embedded platform: rows alone, their repositories are the AppKeeper's. */
export class Apps {
  readonly #db: Database;
  readonly #users: Users;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Database, users: Users, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#users = users;
    this.#clock = clock;
  }

  /**
   * Makes the row of an app, provisional until `settle`.
   * @throws PlatformError `bad-name`, `no-such-user`, `app-exists`.
   */
  create(name: string, owner: string): void {
    this.#db
      .transaction(() => {
        this.requireFree(name, owner);
        this.#insertProvisional(name, owner);
      })
      .immediate();
  }

  /** @throws PlatformError `bad-name`, `no-such-user`, `app-exists`: what `create` would throw at this moment. */
  requireFree(name: string, owner: string): void {
    if (!isNewAppName(name)) {
      throw new PlatformError(
        'bad-name',
        `'${printable(name, 80)}' can't name an app. A name has at most 63 lower-case letters, digits, '@', '_' and ` +
          "'-', and begins with a letter or digit.",
      );
    }
    this.#users.require(owner);
    const there = this.get(name);
    if (there) throw new PlatformError('app-exists', `There is an app '${name}' already, owned by '${there.owner}'.`);
  }

  /** App and owner in one step, for a push to an app that did not exist when it was authorized. */
  createOnPush(name: string, owner: string, limit: number): 'created' | 'no-such-user' | 'too-many-apps' | AppRecord {
    return this.#db
      .transaction(() => {
        const there = this.get(name);
        if (there) return there;
        if (!this.#users.has(owner)) return 'no-such-user';
        if (this.#owned(owner) >= limit) return 'too-many-apps';
        this.#insertProvisional(name, owner);
        return 'created';
      })
      .immediate();
  }

  /** A provisional app becomes one that stays; `branch` is deployed from now on, unless one is already. */
  settle(name: string, branch?: string): void {
    this.#db
      .prepare('UPDATE apps SET provisional = 0, branch = coalesce(branch, ?) WHERE name = ?')
      .run(branch ?? null, name);
  }

  /** Takes a provisional app back; returns whether there was one. */
  discard(name: string): boolean {
    return this.#db.prepare('DELETE FROM apps WHERE name = ? AND provisional = 1').run(name).changes > 0;
  }

  provisional(): readonly string[] {
    return this.#db
      .prepare<[], { name: string }>('SELECT name FROM apps WHERE provisional = 1 ORDER BY name')
      .all()
      .map((row) => row.name);
  }

  list(): readonly AppRecord[] {
    return this.#db
      .prepare<[], AppRow>(`SELECT ${COLUMNS} FROM apps ORDER BY name`)
      .all()
      .map((row) => this.#record(row));
  }

  get(name: string): AppRecord | undefined {
    const row = this.#db.prepare<[string], AppRow>(`SELECT ${COLUMNS} FROM apps WHERE name = ?`).get(name);
    return row && this.#record(row);
  }

  /** @throws PlatformError `no-such-app`. */
  require(name: string): AppRecord {
    const app = this.get(name);
    if (app) return app;
    throw new PlatformError('no-such-app', `There is no app '${printable(name, 80)}'. The apps there are: app list`);
  }

  /**
   * Gives a user access, or changes what they have.
   * @throws PlatformError `no-such-app`, `no-such-user`, `is-owner`.
   */
  share(name: string, user: string, access: 'read' | 'write'): void {
    this.#change(name, (app) => {
      this.#users.require(user);
      if (app.owner === user) {
        throw new PlatformError('is-owner', `'${user}' owns '${name}' and may do everything with it already.`);
      }
      this.#db
        .prepare(
          `INSERT INTO shares (app, user, access) VALUES (?, ?, ?)
           ON CONFLICT (app, user) DO UPDATE SET access = excluded.access`,
        )
        .run(name, user, access);
    });
  }

  /** @throws PlatformError `no-such-app`, `not-shared`. */
  unshare(name: string, user: string): void {
    this.#change(name, () => {
      const gone = this.#db.prepare('DELETE FROM shares WHERE app = ? AND user = ?').run(name, user);
      if (gone.changes === 0) {
        throw new PlatformError('not-shared', `'${name}' is not shared with '${printable(user, 80)}'. See: app list`);
      }
    });
  }

  /** @throws PlatformError `no-such-app`, `bad-branch`. */
  setBranch(name: string, branch: string): void {
    if (!isBranchName(branch)) {
      throw new PlatformError(
        'bad-branch',
        `'${printable(branch, 80)}' can't name a branch. Give its short name, like main or team/topic.`,
      );
    }
    this.#change(name, () => this.#db.prepare('UPDATE apps SET branch = ? WHERE name = ?').run(branch, name));
  }

  /** @throws PlatformError `no-such-app`. */
  setArchive(name: string, allowed: boolean): void {
    this.#change(name, () => this.#db.prepare('UPDATE apps SET archive = ? WHERE name = ?').run(allowed ? 1 : 0, name));
  }

  /**
   * Passes an app on; the former owner keeps nothing.
   * @throws PlatformError `no-such-app`, `no-such-user`.
   */
  setOwner(name: string, owner: string): void {
    this.#change(name, () => {
      this.#users.require(owner);
      this.#db.prepare('DELETE FROM shares WHERE app = ? AND user = ?').run(name, owner);
      this.#db.prepare('UPDATE apps SET owner = ? WHERE name = ?').run(owner, name);
    });
  }

  /** Removes the row with its shares. */
  remove(name: string): void {
    this.#db.prepare('DELETE FROM apps WHERE name = ?').run(name);
  }

  #change(name: string, change: (app: AppRecord) => void): void {
    this.#db.transaction(() => change(this.require(name))).immediate();
  }

  #insertProvisional(name: string, owner: string): void {
    this.#db
      .prepare('INSERT INTO apps (name, owner, provisional, created_at) VALUES (?, ?, 1, ?)')
      .run(name, owner, this.#clock.now());
  }

  #owned(user: string): number {
    return (
      this.#db.prepare<[string], { n: number }>('SELECT count(*) AS n FROM apps WHERE owner = ?').get(user)?.n ?? 0
    );
  }

  #record(row: AppRow): AppRecord {
    const { branch, ...rest } = row;
    return {
      ...rest,
      archive: row.archive === 1,
      provisional: row.provisional === 1,
      shares: this.#db
        .prepare<[string], { user: string; access: 'read' | 'write' }>(
          'SELECT user, access FROM shares WHERE app = ? ORDER BY user',
        )
        .all(row.name),
      ...(branch === null ? {} : { branch }),
    };
  }
}
