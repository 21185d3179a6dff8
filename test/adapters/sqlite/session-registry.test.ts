/** What a process that is dead has reported, and what a database is spared. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openDatabase, type Database } from '../../../src/adapters/sqlite/database.js';
import { SqliteSessionRegistry } from '../../../src/adapters/sqlite/sqlite-session-registry.js';
import { SystemClock } from '../../../src/adapters/system/clock.js';
import { until } from '../../../src/contracts/contract.js';
import type { ListedSession } from '../../../src/domain/listed-session.js';
import { temporaryFolder } from '../../support/temporary.js';
import { compiledSources, OtherProcess } from './compiled.js';

const testWithProc = existsSync('/proc/self/stat') ? test : test.skip;

const SESSION: ListedSession = {
  ...{ id: 's-1', gitmouth: 'host:1', user: 'alice', app: 'shop', service: 'git-receive-pack', phase: 'run' },
  ...{ since: 1, bytesIn: 0, bytesOut: 0, address: '192.0.2.7', software: 'OpenSSH_9.6' },
};

let file: string;
let db: Database;
let registry: SqliteSessionRegistry;
let other: OtherProcess | undefined;

beforeEach(() => {
  file = join(temporaryFolder('registry'), 'gitmouth.db');
  db = openDatabase(file);
  registry = new SqliteSessionRegistry(db, new SystemClock(), 'g-own');
});

afterEach(async () => {
  await other?.kill();
  other = undefined;
  db.close();
});

testWithProc('what a killed process served is gone at once', async () => {
  other = new OtherProcess(
    compiledSources(),
    `
    import { openDatabase } from './adapters/sqlite/database.js';
    import { SqliteSessionRegistry } from './adapters/sqlite/sqlite-session-registry.js';
    import { SystemClock } from './adapters/system/clock.js';
    setInterval(() => {}, 1000);
    const registry = new SqliteSessionRegistry(openDatabase(${JSON.stringify(file)}), new SystemClock(), 'g-other');
    await registry.report([${JSON.stringify(SESSION)}]);
    console.log('reported');
    `,
  );
  await until(() => other?.said.includes('reported') === true, 'the other process has reported');
  expect(await registry.list()).toEqual([SESSION]);
  await other.kill();
  expect(await registry.list()).toEqual([]);
  expect(await registry.end('s-1')).toBe(false);
});

test('a gitmouth on which nothing runs writes nothing', async () => {
  const changes = () => db.prepare<[], { n: number }>('SELECT total_changes() AS n').get()?.n;
  const before = changes();
  for (let turn = 0; turn < 3; turn++) await registry.report([]);
  await registry.close();
  expect(changes()).toBe(before);
  await registry.report([SESSION]);
  await registry.report([]);
  const after = changes();
  expect(after).not.toBe(before);
  await registry.report([]);
  expect(changes()).toBe(after);
});
