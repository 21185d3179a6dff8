import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { openDatabase, type Database } from '../../../src/adapters/sqlite/database.js';
import { MIGRATIONS } from '../../../src/adapters/sqlite/schema.js';
import { temporaryFolder } from '../../support/temporary.js';
import { compiledSources, OtherProcess } from './compiled.js';

let file: string;
const opened: Database[] = [];

function open(): Database {
  const db = openDatabase(file);
  opened.push(db);
  return db;
}

beforeEach(() => {
  file = join(temporaryFolder('database'), 'gitmouth.db');
});

afterEach(() => {
  for (const db of opened.splice(0)) db.close();
});

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('the database', () => {
  test('is readable by its owner alone, and so are its log and shared memory', () => {
    const before = process.umask(0);
    try {
      open().exec("INSERT INTO users VALUES ('alice', 0)");
    } finally {
      process.umask(before);
    }
    expect(['', '-wal', '-shm'].map((end) => modeOf(`${file}${end}`))).toEqual(['600', '600', '600']);
  });

  test('is closed to others when it had been left open to them', () => {
    writeFileSync(file, '', { mode: 0o666 });
    open();
    expect(modeOf(file)).toBe('600');
  });

  test('survives a crash of the machine and keeps its references', () => {
    const db = open();
    const pragma = (name: string) => db.pragma(name, { simple: true });
    const [FULL, ON] = [2, 1];
    expect(pragma('journal_mode')).toBe('wal');
    expect(pragma('synchronous')).toBe(FULL);
    expect(pragma('foreign_keys')).toBe(ON);
    expect(pragma('busy_timeout')).toBe(5000);
  });

  test('keeps what it has when it is opened again', () => {
    open().exec("INSERT INTO users VALUES ('alice', 0)");
    expect(open().prepare('SELECT name FROM users').all()).toEqual([{ name: 'alice' }]);
  });

  test('of a gitmouth from before keys could have to verify their user keeps its keys, of which none has to', () => {
    const old = new Sqlite(file);
    const before = MIGRATIONS.findIndex((migration) => migration.includes('verify_required'));
    for (const migration of MIGRATIONS.slice(0, before)) old.exec(migration);
    old.exec("INSERT INTO users VALUES ('alice', 0)");
    old.exec("INSERT INTO keys VALUES ('SHA256:x', 'alice', 'ssh-ed25519', x'00', '', 0)");
    old.pragma(`user_version = ${before}`);
    old.close();
    expect(open().prepare('SELECT sha256, verify_required FROM keys').all()).toEqual([
      { sha256: 'SHA256:x', verify_required: 0 },
    ]);
  });

  test('of a newer gitmouth is refused, saying so, and is not touched', () => {
    open().pragma(`user_version = ${MIGRATIONS.length + 1}`);
    expect(() => openDatabase(file)).toThrow('newer gitmouth');
    expect(opened[0]?.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length + 1);
  });

  test('that is no database is refused and left as it is', () => {
    writeFileSync(file, 'this is a letter to my grandmother'.repeat(100));
    expect(() => openDatabase(file)).toThrow('not a database');
    expect(statSync(file).size).toBe(3400);
  });

  test('is made once by several processes that start at the same moment', async () => {
    const folder = compiledSources();
    const script = `
      import { openDatabase } from './adapters/sqlite/database.js';
      const db = openDatabase(${JSON.stringify(file)});
      db.prepare("INSERT INTO users VALUES (?, 0)").run('user' + process.pid);
      db.close();
    `;
    const others = Array.from({ length: 6 }, () => new OtherProcess(folder, script));
    expect(await Promise.all(others.map((other) => other.ended))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(open().prepare('SELECT name FROM users').all()).toHaveLength(6);
  });
});
