import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isRefusal } from '../../../src/domain/refusal.js';
import { until } from '../../../src/contracts/contract.js';
import { sampleKey } from '../../../src/contracts/samples.js';
import { alone, git, openHouse, register, sampleWork, type House } from './house.js';
import { grantOf, leaseOn, Pushers } from './pushing.js';

const LIMIT = 3;

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

describe('a push that creates an app', () => {
  test('makes app, owner and repository, and the first branch is the deployed one', async () => {
    const session = await pushers.begin('alice', 'shop');
    expect(session.dyno.link).toMatchObject({
      kind: 'process',
      repository: join(house.folder, 'repositories/shop.git'),
      plan: {
        service: 'git-receive-pack',
        access: 'write',
        environment: { GITMOUTH_USER: 'alice', GITMOUTH_APP: 'shop' },
      },
    });
    pushers.push('shop', 'trunk');
    await pushers.finish(session);
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'alice', branch: 'trunk', provisional: false });
  });

  test('stays an app without a deployed branch when only tags were pushed', async () => {
    const session = await pushers.begin('alice', 'shop');
    const work = sampleWork();
    git(work, 'push', '--quiet', house.repositories.path('shop'), 'main:refs/tags/v1');
    await pushers.finish(session);
    expect(house.platform.apps.get('shop')).toMatchObject({ provisional: false });
    expect(house.platform.apps.get('shop')?.branch).toBeUndefined();
  });

  test('leaves neither app nor repository when nothing was pushed', async () => {
    await pushers.finish(await pushers.begin('alice', 'shop'));
    expect(house.platform.apps.get('shop')).toBeUndefined();
    expect(readdirSync(join(house.folder, 'repositories'))).toEqual([]);
  });

  test('may be spoilt by its own hook without being taken for one that pushed nothing', async () => {
    const session = await pushers.begin('alice', 'shop');
    pushers.push('shop', 'main');
    git(house.repositories.path('shop'), 'config', 'core.repositoryformatversion', '99');
    await pushers.finish(session);
    expect(house.platform.apps.get('shop')).toMatchObject({ branch: 'main', provisional: false });
  });

  test('is settled by the next one when its lease was lost, not by itself', async () => {
    const session = await pushers.begin('alice', 'shop');
    house.db.prepare('DELETE FROM leases').run();
    await house.clock.advance(30_000);
    expect(session.lease.lost.aborted).toBe(true);
    await pushers.finish(session);
    expect(house.platform.apps.provisional()).toEqual(['shop']);
    await pushers.finish(await pushers.begin('alice', 'shop'));
    expect(house.platform.apps.get('shop')).toBeUndefined();
  });

  test('passes no limit, however many were authorized at the same time', async () => {
    const sessions = await Promise.all(['one', 'two', 'three'].map((app) => pushers.begin('alice', app)));
    const lease = await leaseOn(house, 'four');
    const answer = await pushers.provision('alice', grantOf('four', 'write', true), lease);
    expect(answer).toEqual({ kind: 'too-many-apps', app: 'four', limit: LIMIT });
    expect(house.platform.apps.get('four')).toBeUndefined();
    await Promise.all([lease.release(), ...sessions.map((session) => pushers.finish(session))]);
  });

  test('by a user who was removed meanwhile is refused', async () => {
    house.platform.users.remove('alice');
    expect(await pushers.provision('alice', grantOf('shop', 'write', true))).toEqual({ kind: 'key-removed' });
  });

  // Both were authorized while there was no such app.
  test('of one name by two users gives it to the first; the second learns no more than of any foreign app', async () => {
    const first = await pushers.begin('alice', 'shop');
    const second = leaseOn(house, 'shop', 'bob');
    pushers.push('shop', 'main');
    await pushers.finish(first);
    const lease = await advancing(second);
    expect(await pushers.provision('bob', grantOf('shop', 'write', true), lease)).toEqual({
      kind: 'no-access',
      app: 'shop',
      service: 'git-receive-pack',
    });
    await lease.release();
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'alice', branch: 'main' });
  });

  test('of one name by two users gives it to the second when the first pushed nothing', async () => {
    const first = await pushers.begin('alice', 'shop');
    const second = leaseOn(house, 'shop', 'bob');
    await pushers.finish(first);
    const lease = await advancing(second);
    const dyno = await pushers.provision('bob', grantOf('shop', 'write', true), lease);
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'bob', provisional: true });
    if (!isRefusal(dyno)) await pushers.finish({ dyno, lease });
  });

  test('does not give its user a repository that lies there without an app', async () => {
    await house.repositories.create('shop', alone);
    pushers.push('shop', 'main');
    await expect(pushers.provision('alice', grantOf('shop', 'write', true))).rejects.toMatchObject({
      code: 'GM_REPOSITORY',
      stage: 'provision',
    });
    expect(house.platform.apps.get('shop')).toBeUndefined();
    expect(await house.repositories.hasRefs('shop')).toBe(true);
  });
});

describe('a session on an app that exists', () => {
  beforeEach(async () => {
    await house.keeper.create('shop', 'alice');
  });

  test('is told the branch as it is now, not as it was when the wait for the lock began', async () => {
    pushers.push('shop', 'main');
    house.platform.apps.setBranch('shop', 'main');
    const dyno = await pushers.provision('alice', { ...grantOf('shop', 'read'), branch: 'old' });
    expect(dyno).toMatchObject({ link: { plan: { environment: { GITMOUTH_BRANCH: 'main' } } } });
  });

  // While the push waited for the lock, the app was destroyed and its name taken by somebody else.
  test('does not reach the app of another that has the name by now', async () => {
    house.platform.apps.setOwner('shop', 'bob');
    for (const access of ['read', 'write'] as const) {
      expect(await pushers.provision('alice', grantOf('shop', access))).toMatchObject({ kind: 'no-access' });
    }
    house.platform.apps.share('shop', 'alice', 'read');
    expect(await pushers.provision('alice', grantOf('shop', 'write'))).toMatchObject({ kind: 'no-access' });
    expect(isRefusal(await pushers.provision('alice', grantOf('shop', 'read')))).toBe(false);
    await house.keeper.destroy('shop');
    expect(await pushers.provision('bob', grantOf('shop', 'write'))).toMatchObject({ kind: 'no-access' });
  });

  test('is a fault, and makes nothing, when the repository is gone', async () => {
    house.repositories.retire('shop');
    await house.repositories.sweep('shop', alone);
    await expect(pushers.provision('alice', grantOf('shop', 'write'))).rejects.toMatchObject({ code: 'GM_REPOSITORY' });
    expect(await house.repositories.exists('shop')).toBe(false);
  });
});

async function advancing<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  void promise.finally(() => (over = true));
  await until(
    () => over,
    'the lock is given',
    (ms) => house.clock.advance(ms),
  );
  return promise;
}
