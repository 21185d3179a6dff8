import { join } from 'node:path';
import { openDatabase, openForPassingThings } from '../../adapters/sqlite/database.js';
import { SqliteLocks } from '../../adapters/sqlite/sqlite-locks.js';
import { SqlitePenalties } from '../../adapters/sqlite/sqlite-penalties.js';
import { SqliteRateLimiter } from '../../adapters/sqlite/sqlite-rate-limiter.js';
import { SqliteSessionRegistry } from '../../adapters/sqlite/sqlite-session-registry.js';
import { newId } from '../../adapters/system/ids.js';
import type { Config } from '../config.js';
import { makeDataFolder } from '../data-folder.js';
import type { State } from './state.js';

/** Shared by the processes of this machine, in the database of the data folder. */
export function localState(config: Config): State {
  makeDataFolder(config);
  const file = join(config.dataFolder, 'gitmouth.db');
  const db = openDatabase(file);
  const passing = openForPassingThings(file);
  return {
    locks: (clock) => new SqliteLocks(db, clock, config.locks.leaseMs),
    penalties: (clock) => new SqlitePenalties(passing, clock),
    rateLimiter: () => new SqliteRateLimiter(passing),
    sessions: (clock) => new SqliteSessionRegistry(passing, clock, newId('g')),
    onTrouble: () => undefined,
    close: () => {
      passing.close();
      db.close();
    },
  };
}
