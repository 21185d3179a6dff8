/** What gitmouths on one machine share, in one database: as two processes have it open. */
import { join } from 'node:path';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { openDatabase, openForPassingThings } from '../../../src/adapters/sqlite/database.js';
import { SqliteLocks } from '../../../src/adapters/sqlite/sqlite-locks.js';
import { SqlitePenalties } from '../../../src/adapters/sqlite/sqlite-penalties.js';
import { SqliteRateLimiter } from '../../../src/adapters/sqlite/sqlite-rate-limiter.js';
import { SqliteSessionRegistry } from '../../../src/adapters/sqlite/sqlite-session-registry.js';
import { penaltiesContract } from '../../../src/contracts/penalties.js';
import { rateLimiterContract } from '../../../src/contracts/rate-limiter.js';
import { repositoryLocksContract } from '../../../src/contracts/repository-locks.js';
import { sessionRegistryContract } from '../../../src/contracts/session-registry.js';
import { REPORT_LASTS_MS } from '../../../src/domain/listed-session.js';
import { runContract } from '../../support/contract.js';
import { temporaryFolder } from '../../support/temporary.js';

function twoHandles(open = openDatabase) {
  const file = join(temporaryFolder('sqlite'), 'gitmouth.db');
  const [db, otherDb] = [open(file), open(file)];
  return {
    clock: new MemoryClock(),
    db,
    otherDb,
    close: async () => {
      db.close();
      otherDb.close();
    },
  };
}

runContract(
  'the SQLite locks',
  repositoryLocksContract(async () => {
    const { clock, db, otherDb, close } = twoHandles();
    return {
      one: new SqliteLocks(db, clock, 30_000),
      other: new SqliteLocks(otherDb, clock, 30_000),
      leaseMs: 30_000,
      now: () => clock.now(),
      pass: (ms: number) => clock.advance(ms),
      expire: async (app: string) => {
        otherDb.prepare('UPDATE leases SET expires_at = ? WHERE app = ?').run(clock.now(), app);
      },
      breakDown: async () => {
        db.close();
      },
      close,
    };
  }),
);

const MOST = 10;

runContract(
  'the SQLite penalties',
  penaltiesContract(async () => {
    const { clock, db, otherDb, close } = twoHandles(openForPassingThings);
    return {
      one: new SqlitePenalties(db, clock, MOST),
      other: new SqlitePenalties(otherDb, clock, MOST),
      most: MOST,
      now: () => clock.now(),
      pass: (ms: number) => clock.advance(ms),
      kept: async () => Number(otherDb.prepare('SELECT count(*) FROM penalties').pluck().get()),
      breakDown: async () => {
        db.close();
      },
      close,
    };
  }),
);

runContract(
  'the SQLite rate limiter',
  rateLimiterContract(async () => {
    const { db, otherDb, close } = twoHandles(openForPassingThings);
    return {
      one: new SqliteRateLimiter(db),
      other: new SqliteRateLimiter(otherDb),
      breakDown: async () => {
        db.close();
      },
      close,
    };
  }),
);

runContract(
  'the SQLite session registry',
  sessionRegistryContract(async () => {
    const { clock, db, otherDb, close } = twoHandles(openForPassingThings);
    return {
      one: new SqliteSessionRegistry(db, clock, 'g-one'),
      other: new SqliteSessionRegistry(otherDb, clock, 'g-other'),
      lastsMs: REPORT_LASTS_MS,
      pass: (ms: number) => clock.advance(ms),
      breakDown: async () => {
        db.close();
      },
      close,
    };
  }),
);
