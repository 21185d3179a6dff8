import { inOrder, readListed, REPORT_LASTS_MS, type ListedSession } from '../../domain/listed-session.js';
import type { Clock } from '../../ports/clock.js';
import type { SessionRegistry } from '../../ports/session-registry.js';
import type { Database } from './database.js';
import { isDead, ownIdentity, type ProcessIdentity } from './process-identity.js';

interface ReportRow extends ProcessIdentity {
  readonly sessions: string;
}

/** A row for each gitmouth that serves something: a dead process's is known by its identity, at once. */
export class SqliteSessionRegistry implements SessionRegistry {
  readonly #db: Database;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #owner: string;
  readonly #self = ownIdentity();
  #shows = false;

  /** @param owner this handle's own id, which nobody else has. */
  constructor(db: Database, clock: Pick<Clock, 'now'>, owner: string) {
    this.#db = db;
    this.#clock = clock;
    this.#owner = owner;
  }

  async report(own: readonly ListedSession[]): Promise<readonly string[]> {
    if (own.length === 0) {
      // A server on which nothing runs writes nothing.
      if (this.#shows) this.#remove();
      return [];
    }
    return this.#db.transaction(() => this.#replace(own)).immediate();
  }

  async list(): Promise<readonly ListedSession[]> {
    const rows = this.#db
      .prepare<[number], ReportRow>('SELECT sessions, place, pid, started FROM session_reports WHERE expires_at > ?')
      .all(this.#clock.now());
    const living = rows.filter((row) => !isDead(row));
    return inOrder(living.flatMap(({ sessions }) => readListed(sessions)));
  }

  async end(id: string): Promise<boolean> {
    const isThere = (await this.list()).some((session) => session.id === id);
    if (!isThere) return false;
    this.#db
      .prepare('INSERT OR REPLACE INTO session_ends (id, expires_at) VALUES (?, ?)')
      .run(id, this.#clock.now() + REPORT_LASTS_MS);
    return true;
  }

  async close(): Promise<void> {
    try {
      if (this.#shows) this.#remove();
    } catch {
      // It runs out by itself.
    }
  }

  #replace(own: readonly ListedSession[]): readonly string[] {
    const now = this.#clock.now();
    const { place, pid, started } = this.#self;
    for (const table of ['session_reports', 'session_ends']) {
      this.#db.prepare(`DELETE FROM ${table} WHERE expires_at <= ?`).run(now);
    }
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO session_reports (owner, sessions, expires_at, place, pid, started)
         VALUES (?, ?, ?, ?, ?, ?)`,
      )
      .run(this.#owner, JSON.stringify(own), now + REPORT_LASTS_MS, place, pid, started);
    this.#shows = true;
    const ends = this.#db.prepare<[], { id: string }>('SELECT id FROM session_ends').all();
    const asked = new Set(ends.map(({ id }) => id));
    return own.map(({ id }) => id).filter((id) => asked.has(id));
  }

  #remove(): void {
    this.#db.prepare('DELETE FROM session_reports WHERE owner = ?').run(this.#owner);
    this.#shows = false;
  }
}
