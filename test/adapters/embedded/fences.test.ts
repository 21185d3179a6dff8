import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Fences } from '../../../src/adapters/embedded/fences.js';
import { isFault } from '../../../src/domain/fault.js';
import { sampleKey } from '../../../src/contracts/samples.js';
import { openHouse, register, type House } from './house.js';
import { grantOf, leaseOn, Pushers } from './pushing.js';

let house: House;
let fences: Fences;

beforeEach(() => {
  house = openHouse();
  fences = new Fences(join(house.folder, 'fences'), house.db);
});

afterEach(() => {
  house.close();
});

function standing(app: string): string {
  return readFileSync(join(house.folder, 'fences', app, 'token'), 'utf8');
}

test('a fence is raised, may be raised again, and is never lowered', () => {
  expect(fences.raise('shop', 7)).toEqual({ folder: join(house.folder, 'fences/shop'), token: 7 });
  expect(standing('shop')).toBe('7\n');
  fences.raise('shop', 7);
  fences.raise('shop', 9);
  let thrown: unknown;
  try {
    fences.raise('shop', 8);
  } catch (error) {
    thrown = error;
  }
  expect(isFault(thrown) && [thrown.code, thrown.stage]).toEqual(['GM_LEASE_LOST', 'provision']);
  expect(standing('shop')).toBe('9\n');
});

test('one that can not be written is told with its path, and not as an outage of the database', () => {
  writeFileSync(join(house.folder, 'fences'), 'a file in the way');
  let thrown: unknown;
  try {
    fences.raise('shop', 7);
  } catch (error) {
    thrown = error;
  }
  expect(isFault(thrown) && [thrown.code, thrown.stage]).toEqual(['GM_REPOSITORY', 'provision']);
  expect(String(thrown)).toContain(join(house.folder, 'fences/shop'));
  rmSync(join(house.folder, 'fences'));
});

test('work within it is done as one with it: undone when it fails, and not begun behind a later one', () => {
  const create = (token: number, why?: Error) =>
    fences.within('shop', token, () => {
      house.platform.apps.createOnPush('shop', 'alice', 3);
      if (why !== undefined) throw why;
    });
  register(house, 'alice', sampleKey());
  const why = new Error('no more room');
  expect(() => create(7, why)).toThrow(why);
  fences.raise('shop', 9);
  expect(() => create(8)).toThrow(/another push has the lock/);
  expect(house.platform.apps.get('shop')).toBeUndefined();
  create(9);
  expect(house.platform.apps.get('shop')).toBeDefined();
});

test('each app has one of its own', () => {
  fences.raise('shop', 9);
  fences.raise('blog', 3);
  expect([standing('shop'), standing('blog')]).toEqual(['9\n', '3\n']);
});

test('what dynos read of it is readable by everybody, whatever the umask of the server', () => {
  const before = process.umask(0o077);
  try {
    const { folder } = fences.raise('shop', 7);
    const modes = [join(folder, '..'), folder, join(folder, 'token')].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o755, 0o755, 0o644]);
  } finally {
    process.umask(before);
  }
});

test('a writer raises it to the token of its lease, before its repository is made', async () => {
  const pushers = new Pushers(house, 3);
  register(house, 'alice', sampleKey());
  const { dyno, lease } = await pushers.begin('alice', 'shop');
  expect(dyno.link).toMatchObject({ fence: { folder: join(house.folder, 'fences/shop'), token: lease.token } });
  expect(standing('shop')).toBe(`${lease.token}\n`);
  await pushers.finish({ dyno, lease });
  const stale = await leaseOn(house, 'blog', 'alice');
  fences.raise('blog', stale.token + 1);
  await expect(pushers.provision('alice', grantOf('blog', 'write', true), stale)).rejects.toMatchObject({
    code: 'GM_LEASE_LOST',
    stage: 'provision',
  });
  expect(house.platform.apps.get('blog')).toBeUndefined();
  expect(existsSync(house.repositories.path('blog'))).toBe(false);
});

test('a reader has none', async () => {
  const pushers = new Pushers(house, 3);
  register(house, 'alice', sampleKey());
  const pushing = await pushers.begin('alice', 'shop');
  pushers.push('shop', 'main');
  await pushers.finish(pushing);
  const dyno = await pushers.provision('alice', grantOf('shop', 'read'));
  expect('link' in dyno && dyno.link).not.toHaveProperty('fence');
});

test('a push whose lock was recalled concludes what it began', async () => {
  const pushers = new Pushers(house, 3);
  register(house, 'alice', sampleKey());
  const pushing = await pushers.begin('alice', 'shop');
  await house.locks.free('shop', new AbortController().signal);
  await house.clock.advance(1_000);
  expect(pushing.lease.recalled.aborted).toBe(true);
  await pushers.finish(pushing);
  expect(house.platform.apps.get('shop')).toBeUndefined();
});
