import { chmodSync, closeSync, openSync } from 'node:fs';
import SqliteDatabase from 'better-sqlite3';
import { codeOf } from './error-code.js';
import { MIGRATIONS } from './schema.js';

export type Database = SqliteDatabase.Database;

/** How long one process waits for another one's transaction. */
const BUSY_TIMEOUT_MS = 5000;
/** The same for what is rather left out than waited for: the whole process waits. */
const SHORT_BUSY_TIMEOUT_MS = 100;

/**
 * Opens gitmouth's database, making or migrating it first. Several processes may have it open at once.
 *
 * @throws Error when a later gitmouth has migrated it; the message says what to do.
 */
export function openDatabase(file: string): Database {
  makePrivate(file);
  const db = new SqliteDatabase(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    useWriteAheadLog(db);
    // An acknowledged change outlives a crash of the machine.
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    db.pragma('trusted_schema = OFF');
    migrate(db, file);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * The same database by another handle, for what may be lost with the machine and is written at every turn (who has done
 * wrong, how often something was begun): it waits for no disk, and hardly for other processes. What others have written
 * stays as safe as it was.
 */
export function openForPassingThings(file: string): Database {
  const db = openDatabase(file);
  db.pragma('synchronous = NORMAL');
  db.pragma(`busy_timeout = ${SHORT_BUSY_TIMEOUT_MS}`);
  return db;
}

/**
 * SQLite gives its -wal and -shm files the mode of the database, so that one must be right before they exist. It is
 * opened here only to be made: closing a descriptor of an open database drops the locks of this process (POSIX).
 */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  for (const path of [file, `${file}-wal`, `${file}-shm`]) {
    try {
      chmodSync(path, 0o600);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

/** Changing the mode does not always wait for other processes that do the same, whatever the busy timeout says. */
function useWriteAheadLog(db: Database): void {
  const deadline = Date.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      db.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_BUSY' || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function migrate(db: Database, file: string): void {
  const seen = () => Number(db.pragma('user_version', { simple: true }));
  if (seen() === MIGRATIONS.length) return;
  db.transaction(() => {
    const version = seen();
    if (version > MIGRATIONS.length) {
      throw new Error(
        `${file} was written by a newer gitmouth (schema ${version}; this one knows ${MIGRATIONS.length}). ` +
          'Run that version, or restore a backup made before the upgrade.',
      );
    }
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).immediate();
}
