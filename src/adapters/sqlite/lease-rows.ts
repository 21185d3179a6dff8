import type { LockHolder, LockRecall } from '../../domain/lock-policy.js';
import type { Clock } from '../../ports/clock.js';
import type { Database } from './database.js';
import { isDead, ownIdentity, type ProcessIdentity } from './process-identity.js';

export interface LeaseRow extends LockHolder, ProcessIdentity {
  readonly app: string;
  readonly token: number;
  readonly expiresAt: number;
  readonly recall: LockRecall | null;
}

const SELECT = `SELECT app, token, user, session, since, expires_at AS expiresAt, recall, place, pid, started FROM leases`;

/** The leases that are given, and the last token of each app. */
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

  /** The app's lease; undefined when it is free, or its holder has let it run out or is dead. */
  present(app: string): LeaseRow | undefined {
    const row = this.#db.prepare<[string], LeaseRow>(`${SELECT} WHERE app = ?`).get(app);
    return row !== undefined && this.#isPresent(row) ? row : undefined;
  }

  all(): readonly LeaseRow[] {
    const rows = this.#db.prepare<[], LeaseRow>(SELECT).all();
    return rows.filter((row) => this.#isPresent(row));
  }

  /** Takes an app that is free; returns the lease's token. */
  take(app: string, user: string, session: string): number {
    const now = this.#clock.now();
    const last = this.#db
      .prepare<[string, number], { token: number }>(
        `INSERT INTO lease_tokens (app, last) VALUES (?, ?)
         ON CONFLICT (app) DO UPDATE SET last = max(last + 1, excluded.last) RETURNING last AS token`,
      )
      .get(app, now);
    if (last === undefined) throw new Error(`no token was made for '${app}'`);
    const { place, pid, started } = this.#self;
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO leases (app, token, user, session, since, expires_at, place, pid, started)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(app, last.token, user, session, now, now + this.#leaseMs, place, pid, started);
    return last.token;
  }

  /** The lease as it stands; undefined when it has run out, or is another's. */
  standing(app: string, token: number): Pick<LeaseRow, 'recall'> | undefined {
    return this.#db
      .prepare<[string, number, number], Pick<LeaseRow, 'recall'>>(
        'SELECT recall FROM leases WHERE app = ? AND token = ? AND expires_at > ?',
      )
      .get(app, token, this.#clock.now());
  }

  /** As `standing`, with a new end. */
  renew(app: string, token: number): Pick<LeaseRow, 'recall'> | undefined {
    const now = this.#clock.now();
    return this.#db
      .prepare<[number, string, number, number], Pick<LeaseRow, 'recall'>>(
        'UPDATE leases SET expires_at = ? WHERE app = ? AND token = ? AND expires_at > ? RETURNING recall',
      )
      .get(now + this.#leaseMs, app, token, now);
  }

  /** The first reason stays. */
  recall(app: string, token: number, reason: LockRecall): void {
    this.#db
      .prepare('UPDATE leases SET recall = ? WHERE app = ? AND token = ? AND recall IS NULL')
      .run(reason, app, token);
  }

  remove(app: string, token: number): void {
    this.#db.prepare('DELETE FROM leases WHERE app = ? AND token = ?').run(app, token);
  }

  #isPresent(row: LeaseRow): boolean {
    return row.expiresAt > this.#clock.now() && !isDead(row);
  }
}
