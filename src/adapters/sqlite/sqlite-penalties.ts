import {
  addPenalty,
  MOST_PENALTIES,
  subjectOf,
  subjectText,
  type Offence,
  type Penalty,
  type PenaltyBounds,
  type PenaltySubject,
} from '../../domain/penalty-policy.js';
import type { Clock } from '../../ports/clock.js';
import type { AddedPenalty, ListedPenalty, Penalties } from '../../ports/penalties.js';
import { asking } from './asking.js';
import type { Database } from './database.js';

interface Row {
  readonly subject: string;
  readonly until: number;
  readonly enforced: 0 | 1;
  readonly offence: Offence;
}

/** Penalties in SQLite, for the processes of one machine. */
export class SqlitePenalties implements Penalties {
  readonly #db: Database;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #most: number;

  constructor(db: Database, clock: Pick<Clock, 'now'>, most = MOST_PENALTIES) {
    this.#db = db;
    this.#clock = clock;
    this.#most = most;
  }

  async add(subject: PenaltySubject, offence: Offence, ms: number, bounds: PenaltyBounds): Promise<AddedPenalty> {
    return asking('identify', () =>
      this.#db.transaction(() => this.#add(subjectText(subject), offence, ms, bounds)).immediate(),
    );
  }

  async of(subject: PenaltySubject): Promise<Penalty | undefined> {
    return asking('identify', () => this.#of(subjectText(subject)));
  }

  async list(): Promise<readonly ListedPenalty[]> {
    const rows = asking('identify', () =>
      this.#db
        .prepare<[number], Row>(
          'SELECT subject, until, enforced, offence FROM penalties WHERE until > ? ORDER BY until DESC, subject',
        )
        .all(this.#clock.now()),
    );
    return rows.map((row) => ({ subject: subjectOf(row.subject), ...penaltyOf(row) }));
  }

  async clear(whose: PenaltySubject | 'all'): Promise<number> {
    return asking('identify', () =>
      this.#db
        .transaction(() => {
          this.#forget();
          return whose === 'all'
            ? this.#db.prepare('DELETE FROM penalties').run().changes
            : this.#db.prepare('DELETE FROM penalties WHERE subject = ?').run(subjectText(whose)).changes;
        })
        .immediate(),
    );
  }

  #add(name: string, offence: Offence, ms: number, bounds: PenaltyBounds): AddedPenalty {
    const before = this.#of(name);
    const penalty = addPenalty(before, offence, ms, bounds, this.#clock.now());
    this.#forget();
    if (before === undefined) this.#makeRoom();
    this.#db
      .prepare('INSERT OR REPLACE INTO penalties (subject, until, enforced, offence) VALUES (?, ?, ?, ?)')
      .run(name, penalty.until, Number(penalty.isEnforced), offence);
    return { ...penalty, hasBegun: penalty.isEnforced && before?.isEnforced !== true };
  }

  #of(name: string): Penalty | undefined {
    const row = this.#db
      .prepare<[string, number], Row>(
        'SELECT subject, until, enforced, offence FROM penalties WHERE subject = ? AND until > ?',
      )
      .get(name, this.#clock.now());
    return row === undefined ? undefined : penaltyOf(row);
  }

  #forget(): void {
    this.#db.prepare('DELETE FROM penalties WHERE until <= ?').run(this.#clock.now());
  }

  /** For one more. */
  #makeRoom(): void {
    const count = this.#db.prepare<[], { count: number }>('SELECT count(*) AS count FROM penalties').get()?.count ?? 0;
    if (count < this.#most) return;
    this.#db
      .prepare('DELETE FROM penalties WHERE subject IN (SELECT subject FROM penalties ORDER BY until LIMIT ?)')
      .run(count - this.#most + 1);
  }
}

function penaltyOf({ until, enforced, offence }: Row): Penalty {
  return { until, isEnforced: enforced === 1, offence };
}
