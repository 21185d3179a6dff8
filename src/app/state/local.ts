import { join } from 'node:path';
import { openDatabase } from '../../adapters/sqlite/database.js';
import { SqliteLocks } from '../../adapters/sqlite/sqlite-locks.js';
import type { Config } from '../config.js';
import { makeDataFolder } from '../data-folder.js';
import type { State } from './state.js';

/** Shared by the processes of this machine, in the database of the data folder. */
export function localState(config: Config): State {
  makeDataFolder(config);
  const file = join(config.dataFolder, 'gitmouth.db');
  const db = openDatabase(file);
  return {
    locks: (clock) => new SqliteLocks(db, clock, config.locks.leaseMs),
    onTrouble: () => undefined,
    examine: async () => `${file}, shared by the gitmouths of this machine`,
    close: () => {
      db.close();
    },
  };
}
