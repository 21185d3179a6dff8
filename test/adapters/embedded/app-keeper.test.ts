import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sampleKey } from '../../../src/contracts/samples.js';
import { alone, openHouse, register, sampleWork, type House } from './house.js';
import { leaseOn, Pushers, unfinished } from './pushing.js';

const LIMIT = 10;

let house: House;
let pushers: Pushers;

beforeEach(() => {
  house = openHouse();
  pushers = new Pushers(house, LIMIT);
  for (const user of ['alice', 'bob']) register(house, user, sampleKey());
});

afterEach(() => {
  house.close();
});

describe('the keeper', () => {
  test('makes an app of a repository, deployed branch and all', async () => {
    await house.keeper.create('shop', 'alice', sampleWork('trunk'));
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'alice', branch: 'trunk', provisional: false });
    expect(await house.repositories.hasRefs('shop')).toBe(true);
  });

  test('makes no app of what can not be imported, or of a name that is taken', async () => {
    await expect(house.keeper.create('shop', 'alice', '/nowhere')).rejects.toMatchObject({ code: 'import-failed' });
    expect(house.platform.apps.list()).toEqual([]);
    await house.keeper.create('shop', 'alice');
    await expect(house.keeper.create('shop', 'bob')).rejects.toMatchObject({ code: 'app-exists' });
    await house.repositories.create('stray', alone);
    await expect(house.keeper.create('stray', 'bob')).rejects.toMatchObject({ code: 'repository-exists' });
    expect(house.platform.apps.list().map((app) => app.name)).toEqual(['shop']);
    expect(await unfinished(house)).toEqual([]);
  });

  test('destroys an app with its repository', async () => {
    await house.keeper.create('shop', 'alice', sampleWork());
    await house.keeper.destroy('shop');
    expect(house.platform.apps.list()).toEqual([]);
    expect(readdirSync(join(house.folder, 'repositories'))).toEqual([]);
    await expect(house.keeper.destroy('shop')).rejects.toMatchObject({ code: 'no-such-app' });
  });

  test('destroys nothing under a running push, and says whose it is', async () => {
    await house.keeper.create('shop', 'alice');
    const lease = await leaseOn(house, 'shop', 'bob');
    const refused = expect(house.keeper.destroy('shop')).rejects.toMatchObject({
      code: 'app-busy',
      message: expect.stringContaining('by bob since 2026') as unknown,
    });
    await house.clock.advance(31_000);
    await refused;
    expect(await house.repositories.exists('shop')).toBe(true);
    await lease.release();
  });

  test('waits for a push that ends in time', async () => {
    await house.keeper.create('shop', 'alice');
    const lease = await leaseOn(house, 'shop', 'bob');
    const destroyed = house.keeper.destroy('shop');
    await house.clock.advance(5_000);
    await lease.release();
    await destroyed;
    expect(house.platform.apps.list()).toEqual([]);
  });
});

describe('after a crash', () => {
  test('a provisional app with refs is settled, one without is taken back, and folders half made go', async () => {
    await pushers.begin('alice', 'full');
    pushers.push('full', 'main');
    await pushers.begin('alice', 'empty');
    house.platform.apps.createOnPush('rowonly', 'bob', 10);
    await house.keeper.create('gone', 'bob');
    house.repositories.retire('gone');
    house.db.prepare('DELETE FROM leases').run();
    expect(await house.keeper.recover()).toEqual([]);
    expect(house.platform.apps.list().map(({ name, branch }) => [name, branch])).toEqual([
      ['full', 'main'],
      ['gone', undefined],
    ]);
    expect(readdirSync(join(house.folder, 'repositories'))).toEqual(['full.git']);
  });

  test('what another process is at is left to it', async () => {
    const session = await pushers.begin('alice', 'shop');
    expect(await house.keeper.recover()).toEqual([]);
    expect(house.platform.apps.provisional()).toEqual(['shop']);
    await pushers.finish(session);
  });

  test('what can not be put right is told, and the rest is put right', async () => {
    const { lease } = await pushers.begin('alice', 'bad');
    await lease.release();
    house.platform.apps.createOnPush('empty', 'bob', 10);
    const broken = openHouse(async () => ({ code: 1, stdout: '', stderr: 'no sandbox today' }), house.folder);
    try {
      expect(await broken.keeper.recover()).toMatchObject([{ app: 'bad', error: { code: 'GM_REPOSITORY' } }]);
    } finally {
      broken.close();
    }
    expect(house.platform.apps.provisional()).toEqual(['bad']);
  });
});
