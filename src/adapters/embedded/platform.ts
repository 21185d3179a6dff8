import type { Clock } from '../../ports/clock.js';
import { Apps } from './apps.js';
import type { Database } from '../sqlite/database.js';
import { Keys } from './keys.js';
import { Users } from './users.js';

/** What an operator does with the embedded platform: synchronous, and in force from the next request on. */
export class EmbeddedPlatform {
  readonly users: Users;
  readonly keys: Keys;
  readonly apps: Apps;

  constructor(db: Database, clock: Pick<Clock, 'now'> = { now: () => Date.now() }) {
    this.users = new Users(db, clock);
    this.keys = new Keys(db, this.users, clock);
    this.apps = new Apps(db, this.users, clock);
  }
}
