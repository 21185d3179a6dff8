import type { Clock } from '../../ports/clock.js';
import { StoredLocks } from '../leases/stored-locks.js';
import type { Database } from './database.js';
import { SqliteLockTable } from './sqlite-lock-table.js';

/** Locks of the processes of this machine, in their database: those of a dead process are free at once. */
export class SqliteLocks extends StoredLocks {
  constructor(db: Database, clock: Clock, leaseMs: number) {
    super(new SqliteLockTable(db, clock, leaseMs), clock, leaseMs);
  }
}
