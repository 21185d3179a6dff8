/** What gitmouths on one machine share, in one database: as two processes have it open. */
import { join } from 'node:path';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { openDatabase } from '../../../src/adapters/sqlite/database.js';
import { SqliteLocks } from '../../../src/adapters/sqlite/sqlite-locks.js';
import { repositoryLocksContract } from '../../../src/contracts/repository-locks.js';
import { runContract } from '../../support/contract.js';
import { temporaryFolder } from '../../support/temporary.js';

function twoHandles() {
  const file = join(temporaryFolder('sqlite'), 'gitmouth.db');
  const [db, otherDb] = [openDatabase(file), openDatabase(file)];
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
