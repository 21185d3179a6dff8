import { RateLimiterSQLite } from 'rate-limiter-flexible';
import { Fault } from '../../domain/fault.js';
import type { RateLimiter } from '../../ports/rate-limiter.js';
import type { Database } from './database.js';

/** How often what is over is swept out, in calls. */
const SWEEP_EVERY = 1_000;

/** Counts in SQLite, for the processes of one machine; by the system's clock. */
export class SqliteRateLimiter implements RateLimiter {
  /** Only counts: what is too many is said with each call. */
  readonly #counter: RateLimiterSQLite;
  readonly #db: Database;
  #calls = 0;

  constructor(db: Database) {
    this.#db = db;
    this.#counter = new RateLimiterSQLite({
      storeClient: db,
      storeType: 'better-sqlite3',
      tableName: 'rates',
      tableCreated: true,
      // By a timer, which would outlive the database.
      clearExpiredByTimeout: false,
      points: Number.MAX_SAFE_INTEGER,
      duration: 60,
    });
  }

  async spend(key: string, limit: number, perMs: number): Promise<number | undefined> {
    try {
      const { consumedPoints, msBeforeNext } = await this.#counter.consume(key, 1, { customDuration: perMs / 1000 });
      this.#calls += 1;
      if (this.#calls % SWEEP_EVERY === 0) {
        this.#db.prepare('DELETE FROM rates WHERE expire <= ?').run(Date.now());
      }
      return consumedPoints > limit ? msBeforeNext : undefined;
    } catch (cause) {
      throw new Fault('GM_UNAVAILABLE', 'authorize', 'The database did not answer.', { cause });
    }
  }
}
