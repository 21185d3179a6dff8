import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fence } from '../../domain/dyno.js';
import { Fault, isFault } from '../../domain/fault.js';
import { asking } from '../sqlite/asking.js';
import type { Database } from '../sqlite/database.js';
import { codeOf } from '../sqlite/error-code.js';

/** Does what only the holder of a lock may do, as one with looking whether a later one has it. Throws where so. */
export type Held = <T>(work: () => T) => T;

/** A fence for each app, outside its repository and out of reach of its dynos. They outlive their apps, as tokens do. */
export class Fences {
  readonly #folder: string;
  readonly #db: Database;

  constructor(folder: string, db: Database) {
    this.#folder = folder;
    this.#db = db;
  }

  /**
   * Raises the app's fence to the token of a lease: from now on no earlier writer moves a ref. It is never lowered.
   * @throws Fault `GM_LEASE_LOST` when a later one stands there.
   */
  raise(app: string, token: number): Fence {
    this.within(app, token, () => undefined);
    return { folder: join(this.#folder, app), token };
  }

  /**
   * Raises the fence and does the work, as one: no later writer comes in between. When the work throws, what it did to
   * the database is undone.
   * @throws Fault `GM_LEASE_LOST` when a later one stands there; the work is not done then.
   */
  within<T>(app: string, token: number, work: () => T): T {
    const thrown: unknown[] = [];
    // One over all processes: the database knows how to do that, and a file alone doesn't.
    const whole = this.#db.transaction(() => {
      try {
        this.#raise(join(this.#folder, app), token);
        return work();
      } catch (error) {
        thrown.push(error);
        throw error;
      }
    });
    try {
      return asking('provision', () => whole.immediate());
    } catch (error) {
      throw thrown.length > 0 ? thrown[0] : error;
    }
  }

  #raise(folder: string, token: number): void {
    try {
      this.#write(folder, token);
    } catch (error) {
      if (isFault(error)) throw error;
      throw new Fault('GM_REPOSITORY', 'provision', `The fence in ${folder}: ${String(error)}`, { cause: error });
    }
  }

  #write(folder: string, token: number): void {
    mkdirSync(folder, { recursive: true });
    // Dynos run as another user than a server that is root: they must be able to read it, whatever the umask.
    for (const path of [this.#folder, folder]) chmodSync(path, 0o755);
    const file = join(folder, 'token');
    const standing = tokenIn(file);
    if (standing > token) {
      throw new Fault('GM_LEASE_LOST', 'provision', `another push has the lock by now: its token is ${standing}`);
    }
    writeFileSync(`${file}.new`, `${token}\n`);
    chmodSync(`${file}.new`, 0o644);
    renameSync(`${file}.new`, file);
  }
}

function tokenIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
