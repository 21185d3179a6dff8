/** Locks between processes that really are, and that die. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openDatabase, type Database } from '../../../src/adapters/sqlite/database.js';
import { SqliteLocks } from '../../../src/adapters/sqlite/sqlite-locks.js';
import { SystemClock } from '../../../src/adapters/system/clock.js';
import { isDeparture } from '../../../src/domain/session-end.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import type { Lease } from '../../../src/ports/repository-locks.js';
import { never, until } from '../../../src/contracts/contract.js';
import { temporaryFolder } from '../../support/temporary.js';
import { compiledSources, OtherProcess } from './compiled.js';

// Where the system tells of its processes, the dead are known.
const testWithProc = existsSync('/proc/self/stat') ? test : test.skip;

// Never renewed within a test, so that only the death of its process can free it.
const LEASE_MS = 300_000;

let sources: string;
let file: string;
let db: Database;
const others: OtherProcess[] = [];

beforeAll(() => {
  sources = compiledSources();
});

beforeEach(() => {
  file = join(temporaryFolder('locks'), 'gitmouth.db');
  db = openDatabase(file);
});

afterEach(async () => {
  await Promise.all(others.splice(0).map((other) => other.kill()));
  db.close();
});

/** A process that takes the lock, says so, and goes on as `then` says. */
function otherHolder(then: string): OtherProcess {
  const other = new OtherProcess(
    sources,
    `
    import { openDatabase } from './adapters/sqlite/database.js';
    import { SqliteLocks } from './adapters/sqlite/sqlite-locks.js';
    import { SystemClock } from './adapters/system/clock.js';
    // Waiting for a lock keeps no process alive.
    setInterval(() => {}, 1000);
    const locks = new SqliteLocks(openDatabase(${JSON.stringify(file)}), new SystemClock(), ${LEASE_MS});
    const take = () => locks.acquire('shop', { user: 'other', session: 's-other', since: 0 }, 'wait', 60_000,
      () => {}, new AbortController().signal);
    const lease = await take();
    console.log('holds');
    ${then}
    `,
  );
  others.push(other);
  return other;
}

function acquire(mode: 'wait' | 'refuse', locks = new SqliteLocks(db, new SystemClock(), LEASE_MS)) {
  return locks.acquire('shop', { user: 'me', session: 's-me', since: 0 }, mode, 10_000, () => undefined, never());
}

async function taken(mode: 'wait' | 'refuse', locks?: SqliteLocks): Promise<Lease> {
  const answer = await acquire(mode, locks);
  if (isRefusal(answer)) throw new Error(`busy: held by ${answer.holder.user}`);
  return answer;
}

describe('a lock held by another process', () => {
  test('is held for this one too, and given over when it is released there', async () => {
    const other = otherHolder('setTimeout(async () => { await lease.release(); process.exit(0); }, 300);');
    await until(() => other.said.includes('holds'), 'the other process holds the lock');
    expect(await acquire('refuse')).toMatchObject({ kind: 'busy', holder: { user: 'other', session: 's-other' } });
    const lease = await taken('wait');
    expect(await other.ended).toBe(0);
    await lease.release();
  });

  testWithProc('is free at once when that process was killed', async () => {
    const other = otherHolder('');
    await until(() => other.said.includes('holds'), 'the other process holds the lock');
    expect(await acquire('refuse')).toMatchObject({ kind: 'busy' });
    await other.kill();
    await (await taken('refuse')).release();
  });

  test('is not taken for that of a dead process when its number has another meaning here', async () => {
    const other = otherHolder('');
    await until(() => other.said.includes('holds'), 'the other process holds the lock');
    db.prepare("UPDATE leases SET place = 'another container'").run();
    await other.kill();
    expect(await acquire('refuse')).toMatchObject({ kind: 'busy', holder: { user: 'other' } });
  });

  testWithProc('is free when its number belongs to a later process by now', async () => {
    const held = await taken('refuse');
    expect(await acquire('refuse')).toMatchObject({ kind: 'busy' });
    db.prepare("UPDATE leases SET started = '1'").run();
    const next = await taken('refuse');
    expect(next.token).toBeGreaterThan(held.token);
    await next.release();
    await held.release();
  });
});

describe('tokens', () => {
  testWithProc('grow over processes, and over deaths', async () => {
    const first = await taken('refuse');
    await first.release();
    const other = otherHolder("console.log('token ' + lease.token + '.');");
    await until(() => other.said.includes('.'), 'the other process says its token');
    await other.kill();
    const last = await taken('refuse');
    const second = Number(/token (\d+)/.exec(other.said)?.[1]);
    expect(second).toBeGreaterThan(first.token);
    expect(last.token).toBeGreaterThan(second);
    await last.release();
  });
});

describe('a lease', () => {
  test('whose row an operator removed is lost at its next renewal, and leaves the next holder alone', async () => {
    const locks = new SqliteLocks(db, new SystemClock(), 300);
    const lease = await taken('refuse', locks);
    db.prepare('DELETE FROM leases').run();
    const next = await taken('refuse');
    await until(() => lease.lost.aborted, 'the loss is told');
    expect(isDeparture(lease.lost.reason) && lease.lost.reason.reason).toBe('lease-lost');
    await lease.release();
    expect(await acquire('refuse')).toMatchObject({ kind: 'busy' });
    await next.release();
  });

  test('that can not be renewed is lost when it has run out, and not before', async () => {
    const own = openDatabase(file);
    const lease = await taken('refuse', new SqliteLocks(own, new SystemClock(), 600));
    const begun = Date.now();
    own.close();
    await until(() => lease.lost.aborted, 'the loss is told');
    expect(Date.now() - begun).toBeGreaterThan(350);
    await lease.release();
  });
});

describe('many processes that want one lock', () => {
  test('never hold it at the same time', async () => {
    db.exec('CREATE TABLE inside (pid INTEGER)');
    const writers = Array.from({ length: 3 }, () =>
      otherHolder(`
        const own = openDatabase(${JSON.stringify(file)});
        let held = lease;
        for (let round = 0; round < 8; round++) {
          own.prepare('INSERT INTO inside VALUES (?)').run(process.pid);
          const { n } = own.prepare('SELECT count(*) AS n FROM inside').get();
          if (n !== 1) { console.log('together'); process.exit(1); }
          await new Promise((resolve) => setTimeout(resolve, 5));
          own.prepare('DELETE FROM inside').run();
          await held.release();
          held = await take();
        }
        await held.release();
        process.exit(0);
      `),
    );
    const ends = await Promise.all(writers.map((writer) => writer.ended));
    expect([ends, writers.map((writer) => writer.said.includes('together'))]).toEqual([
      [0, 0, 0],
      [false, false, false],
    ]);
  });
});
