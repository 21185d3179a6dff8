import { join } from 'node:path';
import { openDatabase } from '../../adapters/sqlite/database.js';
import { SqliteLocks } from '../../adapters/sqlite/sqlite-locks.js';
import type { Config } from '../config.js';
import { makeDataFolder } from '../data-folder.js';
import type { State } from './state.js';

/** Shared by the processes of this machine, in the database of the data folder. */
export function localState(config: Config): State {
  makeDataFolder(config);
  const db = openDatabase(join(config.dataFolder, 'gitmouth.db'));
  return {
    locks: (clock) => new SqliteLocks(db, clock),
    close: () => {
      db.close();
    },
  };
}
