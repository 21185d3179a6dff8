import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PlatformErrorCode } from '../../../src/adapters/embedded/platform-error.js';
import { sampleKey } from '../../../src/contracts/samples.js';
import { openHouse, register, settledApp, type House } from './house.js';

let house: House;

beforeEach(() => {
  house = openHouse();
});

afterEach(() => {
  house.close();
});

function refusal(act: () => unknown, code: PlatformErrorCode, ...words: readonly string[]): void {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code });
  for (const word of words) expect((thrown as Error).message).toContain(word);
}

describe('users', () => {
  test('are added, listed by name with what they have, and removed', () => {
    const { users } = house.platform;
    users.add('bob');
    register(house, 'alice', sampleKey());
    settledApp(house, 'shop', 'alice');
    expect(users.list()).toEqual([
      { name: 'alice', createdAt: house.clock.now(), keys: 1, apps: 1 },
      { name: 'bob', createdAt: house.clock.now(), keys: 0, apps: 0 },
    ]);
    users.remove('bob');
    expect(users.list().map((user) => user.name)).toEqual(['alice']);
  });

  test.each(['', 'Alice', '-rf', '.alice', 'a b', 'a/b', 'al\nice', 'a'.repeat(33)])('are not named %j', (name) => {
    refusal(() => house.platform.users.add(name), 'bad-name', '32');
  });

  test('exist once', () => {
    house.platform.users.add('alice');
    refusal(() => house.platform.users.add('alice'), 'user-exists', 'alice', 'key add alice');
  });

  test('who own apps are not removed: the refusal names the apps and the two ways out', () => {
    register(house, 'alice', sampleKey());
    settledApp(house, 'shop', 'alice');
    settledApp(house, 'blog', 'alice');
    refusal(() => house.platform.users.remove('alice'), 'user-owns-apps', 'blog, shop', 'app destroy', '--owner');
    expect(house.platform.keys.list('alice')).toHaveLength(1);
  });

  test('are removed with their keys and with what was shared with them', () => {
    const key = sampleKey();
    register(house, 'alice', sampleKey());
    register(house, 'bob', key);
    settledApp(house, 'shop', 'alice');
    house.platform.apps.share('shop', 'bob', 'write');
    house.platform.users.remove('bob');
    expect(house.platform.apps.get('shop')?.shares).toEqual([]);
    house.platform.users.add('bob');
    expect(house.platform.keys.list('bob')).toEqual([]);
  });

  test('that do not exist are named as such by every command', () => {
    const { users, keys, apps } = house.platform;
    register(house, 'alice', sampleKey());
    settledApp(house, 'shop', 'alice');
    for (const act of [
      () => users.remove('nobody'),
      () => keys.add('nobody', sampleKey(), ''),
      () => keys.list('nobody'),
      () => keys.remove('nobody', sampleKey().sha256),
      () => apps.create('blog', 'nobody'),
      () => apps.share('shop', 'nobody', 'read'),
      () => apps.setOwner('shop', 'nobody'),
    ]) {
      refusal(act, 'no-such-user', "'nobody'", 'user add');
    }
  });
});

describe('keys', () => {
  test('are added, listed and removed by fingerprint, with and without its prefix', () => {
    const { keys } = house.platform;
    const [first, second] = [sampleKey(), sampleKey('ssh-rsa')];
    house.platform.users.add('alice');
    expect(keys.add('alice', first, 'laptop')).toBe('added');
    expect(keys.add('alice', second, 'phone')).toBe('added');
    expect(new Set(keys.list('alice').map((key) => `${key.algorithm} ${key.sha256} ${key.comment}`))).toEqual(
      new Set([`ssh-ed25519 ${first.sha256} laptop`, `ssh-rsa ${second.sha256} phone`]),
    );
    keys.remove('alice', first.sha256);
    keys.remove('alice', second.sha256.replace('SHA256:', ''));
    expect(keys.list('alice')).toEqual([]);
  });

  test('that the user has already are left as they are, and it is said', () => {
    const key = sampleKey();
    house.platform.users.add('alice');
    house.platform.keys.add('alice', key, 'first');
    expect(house.platform.keys.add('alice', key, 'second')).toBe('already-there');
    expect(house.platform.keys.list('alice').map(({ comment }) => comment)).toEqual(['first']);
  });

  test('of hardware may have to verify their user, from the start or later, and stay so', () => {
    const { keys } = house.platform;
    const [strict, later] = [sampleKey('sk-ssh-ed25519@openssh.com'), sampleKey('sk-ecdsa-sha2-nistp256@openssh.com')];
    const verifying = () => keys.list('alice').flatMap((key) => (key.isVerifyRequired ? [key.sha256] : []));
    house.platform.users.add('alice');
    expect(keys.add('alice', strict, '', { isVerifyRequired: true })).toBe('added');
    expect(keys.add('alice', later, '')).toBe('added');
    expect(verifying()).toEqual([strict.sha256]);
    expect(keys.add('alice', later, '', { isVerifyRequired: true })).toBe('tightened');
    expect(keys.add('alice', later, '', { isVerifyRequired: true })).toBe('already-there');
    expect(keys.add('alice', later, '')).toBe('already-there');
    expect(new Set(verifying())).toEqual(new Set([strict.sha256, later.sha256]));
  });

  test('that can’t verify their user are not told to', () => {
    house.platform.users.add('alice');
    const add = (algorithm: 'ssh-rsa' | 'ecdsa-sha2-nistp256') => () =>
      house.platform.keys.add('alice', sampleKey(algorithm), '', { isVerifyRequired: true });
    refusal(add('ssh-rsa'), 'no-security-key', "can't verify its user", 'ed25519-sk');
    refusal(add('ecdsa-sha2-nistp256'), 'no-security-key');
    expect(house.platform.keys.list('alice')).toEqual([]);
  });

  test('belong to one user: the refusal says to whom and how to take it from them', () => {
    const key = sampleKey();
    register(house, 'alice', key);
    house.platform.users.add('bob');
    refusal(() => house.platform.keys.add('bob', key, ''), 'key-in-use', "'alice'", `key remove alice ${key.sha256}`);
    expect(house.platform.keys.list('bob')).toEqual([]);
  });

  test('of another user are not removed', () => {
    const key = sampleKey();
    register(house, 'alice', key);
    house.platform.users.add('bob');
    refusal(() => house.platform.keys.remove('bob', key.sha256), 'no-such-key', 'key list bob');
    refusal(() => house.platform.keys.remove('alice', 'what is this'), 'no-such-key');
    expect(house.platform.keys.list('alice')).toHaveLength(1);
  });

  // A comment comes from the file of whoever asked for access: it may hold what moves the operator's cursor.
  test('are listed with comments that are safe to print', () => {
    house.platform.users.add('alice');
    house.platform.keys.add('alice', sampleKey(), 'a\u001b[2Jb\r\nc');
    expect(house.platform.keys.list('alice')[0]?.comment).toBe('a\\u001b[2Jb\\u000d\\u000ac');
  });
});

describe('apps', () => {
  beforeEach(() => {
    for (const user of ['alice', 'bob']) register(house, user, sampleKey());
  });

  test('are made, set, shared, passed on and removed', () => {
    const { apps } = house.platform;
    settledApp(house, 'shop', 'alice');
    apps.setBranch('shop', 'team/topic');
    apps.setArchive('shop', true);
    apps.share('shop', 'bob', 'read');
    apps.share('shop', 'bob', 'write');
    const shop = { name: 'shop', branch: 'team/topic', archive: true, provisional: false };
    const createdAt = house.clock.now();
    expect(apps.list()).toEqual([{ ...shop, owner: 'alice', createdAt, shares: [{ user: 'bob', access: 'write' }] }]);
    apps.setOwner('shop', 'bob');
    expect(apps.list()).toEqual([{ ...shop, owner: 'bob', createdAt, shares: [] }]);
    apps.remove('shop');
    expect(apps.get('shop')).toBeUndefined();
  });

  test.each(['', 'Shop', '.git', '-x', 'a/b', 'a.b', '../x', 'a'.repeat(64), 'shop\n'])('are not named %j', (name) => {
    refusal(() => house.platform.apps.create(name, 'alice'), 'bad-name', '63');
  });

  test.each([
    '',
    '-x',
    'HEAD',
    'a..b',
    'a b',
    'a.lock',
    'x/.y',
    'a//b',
    'a\nb',
    '@{1}',
    'refs:x',
    'a/',
    'a.',
    '\u202ea',
  ])('have no branch named %j', (branch) => {
    settledApp(house, 'shop', 'alice');
    refusal(() => house.platform.apps.setBranch('shop', branch), 'bad-branch');
    expect(house.platform.apps.get('shop')?.branch).toBeUndefined();
  });

  test('exist once, whoever owns them', () => {
    settledApp(house, 'shop', 'alice');
    refusal(() => house.platform.apps.create('shop', 'bob'), 'app-exists', "'alice'");
  });

  test('that do not exist are named as such by every command', () => {
    const { apps } = house.platform;
    for (const act of [
      () => apps.share('shop', 'bob', 'read'),
      () => apps.unshare('shop', 'bob'),
      () => apps.setBranch('shop', 'main'),
      () => apps.setArchive('shop', true),
      () => apps.setOwner('shop', 'bob'),
    ]) {
      refusal(act, 'no-such-app', "'shop'", 'app list');
    }
  });

  test('are not shared with their owner, nor unshared from whom they are not shared with', () => {
    settledApp(house, 'shop', 'alice');
    refusal(() => house.platform.apps.share('shop', 'alice', 'read'), 'is-owner');
    refusal(() => house.platform.apps.unshare('shop', 'bob'), 'not-shared');
  });

  test('made by a push have one owner, the first; the other is told whose it is', () => {
    const { apps } = house.platform;
    expect(apps.createOnPush('shop', 'alice', 10)).toBe('created');
    expect(apps.createOnPush('shop', 'bob', 10)).toMatchObject({ owner: 'alice', provisional: true });
  });

  test('made by pushes are as many as a user may own, unfinished ones counted, and for each user by themselves', () => {
    const { apps } = house.platform;
    settledApp(house, 'shop', 'alice');
    expect(apps.createOnPush('blog', 'alice', 2)).toBe('created');
    expect(apps.createOnPush('wiki', 'alice', 2)).toBe('too-many-apps');
    expect(apps.createOnPush('wiki', 'bob', 2)).toBe('created');
    expect(apps.createOnPush('mail', 'nobody', 2)).toBe('no-such-user');
  });

  test('are taken back while provisional, and never once settled', () => {
    const { apps } = house.platform;
    for (const name of ['shop', 'blog']) apps.createOnPush(name, 'alice', 10);
    apps.settle('shop', 'main');
    for (const name of ['shop', 'blog']) apps.discard(name);
    expect(apps.list().map(({ name, branch }) => [name, branch])).toEqual([['shop', 'main']]);
  });

  test('keep the branch that an operator has set when a push settles them', () => {
    const { apps } = house.platform;
    apps.createOnPush('shop', 'alice', 10);
    apps.setBranch('shop', 'live');
    apps.settle('shop', 'main');
    expect(apps.get('shop')?.branch).toBe('live');
  });
});
