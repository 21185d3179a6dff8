import type { Clock } from '../../ports/clock.js';
import { WAITER_MS, type Ticket } from '../leases/lock-table.js';
import type { Database } from './database.js';
import { isDead, ownIdentity, type ProcessIdentity } from './process-identity.js';

interface WaiterRow extends ProcessIdentity {
  readonly ticket: string;
  readonly turn: number;
  readonly user: string;
  readonly session: string;
  readonly goneAt: number;
}

/** Those who wait for leases. */
export class WaiterRows {
  readonly #db: Database;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #self = ownIdentity();

  constructor(db: Database, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  /** The turn of one who waits and need not be noted anew yet. */
  freshTurn(app: string, ticket: string): number | undefined {
    const row = this.#row(app, ticket);
    return row !== undefined && row.goneAt - this.#clock.now() > WAITER_MS / 2 ? row.turn : undefined;
  }

  /** Notes that one waits, behind all others where it is new; returns its turn. */
  enter(app: string, { id, user, session, turn }: Ticket): number {
    const given = this.#row(app, id)?.turn ?? turn ?? this.#nextTurn(app);
    const { place, pid, started } = this.#self;
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO lease_waiters (app, ticket, turn, user, session, gone_at, place, pid, started)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(app, id, given, user, session, this.#clock.now() + WAITER_MS, place, pid, started);
    return given;
  }

  /** Whose turn it is; those who are gone are forgotten. */
  first(app: string): WaiterRow | undefined {
    const rows = this.#db
      .prepare<[string], WaiterRow>(
        `SELECT ticket, turn, user, session, gone_at AS goneAt, place, pid, started
         FROM lease_waiters WHERE app = ? ORDER BY turn, ticket`,
      )
      .all(app);
    for (const row of rows) {
      if (row.goneAt > this.#clock.now() && !isDead(row)) return row;
      this.remove(app, row.ticket);
    }
    return undefined;
  }

  remove(app: string, ticket: string): void {
    this.#db.prepare('DELETE FROM lease_waiters WHERE app = ? AND ticket = ?').run(app, ticket);
  }

  #row(app: string, ticket: string): Pick<WaiterRow, 'turn' | 'goneAt'> | undefined {
    return this.#db
      .prepare<[string, string], Pick<WaiterRow, 'turn' | 'goneAt'>>(
        'SELECT turn, gone_at AS goneAt FROM lease_waiters WHERE app = ? AND ticket = ?',
      )
      .get(app, ticket);
  }

  #nextTurn(app: string): number {
    const top = this.#db
      .prepare<[string], { turn: number | null }>('SELECT max(turn) AS turn FROM lease_waiters WHERE app = ?')
      .get(app);
    return Math.max(this.#clock.now(), (top?.turn ?? 0) + 1);
  }
}
