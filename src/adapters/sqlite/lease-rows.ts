import type { LockHolder } from '../../domain/lock-policy.js';
import type { Clock } from '../../ports/clock.js';
import type { Database } from './database.js';
import { isDead, ownIdentity, type ProcessIdentity } from './process-identity.js';

export interface Taken {
  readonly token: number;
  readonly expiresAt: number;
}

interface LeaseRow extends LockHolder, ProcessIdentity, Taken {}

/** The leases of all processes on one database. */
export class LeaseRows {
  readonly #db: Database;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #leaseMs: number;
  readonly #self = ownIdentity();

  constructor(db: Database, clock: Pick<Clock, 'now'>, leaseMs: number) {
    this.#db = db;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** Who holds the app; undefined when it is free, or its holder has let it run out or is dead. */
  holder(app: string): LockHolder | undefined {
    const row = this.#db
      .prepare<[string], LeaseRow>(
        `SELECT token, user, session, since, expires_at AS expiresAt, place, pid, started FROM leases WHERE app = ?`,
      )
      .get(app);
    if (row === undefined || row.expiresAt <= this.#clock.now() || isDead(row)) return undefined;
    return { user: row.user, session: row.session, since: row.since };
  }

  /** Takes the app, or says who holds it. */
  take(app: string, user: string, session: string): Taken | LockHolder {
    // Most who ask while it is held shall not wait for the right to write.
    return (
      this.holder(app) ?? this.#db.transaction(() => this.holder(app) ?? this.#insert(app, user, session)).immediate()
    );
  }

  /** The lease's new end; undefined when it has run out, or is another's. */
  renew(app: string, token: number): number | undefined {
    const now = this.#clock.now();
    const expiresAt = now + this.#leaseMs;
    const renewed = this.#db
      .prepare('UPDATE leases SET expires_at = ? WHERE app = ? AND token = ? AND expires_at > ?')
      .run(expiresAt, app, token, now);
    return renewed.changes === 1 ? expiresAt : undefined;
  }

  remove(app: string, token: number): void {
    this.#db.prepare('DELETE FROM leases WHERE app = ? AND token = ?').run(app, token);
  }

  #insert(app: string, user: string, session: string): Taken {
    const last = this.#db
      .prepare<[string], { token: number }>(
        `INSERT INTO lease_tokens (app, last) VALUES (?, 1)
         ON CONFLICT (app) DO UPDATE SET last = last + 1 RETURNING last AS token`,
      )
      .get(app);
    if (last === undefined) throw new Error(`no token was made for '${app}'`);
    const now = this.#clock.now();
    const taken = { token: last.token, expiresAt: now + this.#leaseMs };
    const { place, pid, started } = this.#self;
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO leases (app, token, user, session, since, expires_at, place, pid, started)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(app, taken.token, user, session, now, taken.expiresAt, place, pid, started);
    return taken;
  }
}
