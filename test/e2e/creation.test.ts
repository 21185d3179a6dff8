/** A push to an app that does not exist, where the platform takes it and where it does not. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, type Person } from '../support/door.js';
import { needs } from '../support/programs.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');

describe('an app that does not exist', () => {
  let door: Door;

  beforeAll(async () => {
    door = new Door({ GITMOUTH_APPS_PER_USER: '2' });
    await door.start();
  });

  afterAll(() => door.stop());

  test('is created by a push, up to as many as a user may own', async () => {
    const alice = await door.person('alice');
    const work = await alice.repository();
    for (const app of ['one', 'two']) await alice.must(work, 'push', '--quiet', alice.url(app), 'main');
    const { code, stderr } = await alice.git(work, 'push', alice.url('three'), 'main');
    expect(code).toBe(128);
    expect(stderr).toContain(" !     You own 2 apps, which is all you may; 'three' was not created.\n");
    expect(existsSync(door.repository('three'))).toBe(false);
    expect((await door.cli('app', 'destroy', 'one')).code).toBe(0);
    expect(await alice.git(work, 'push', alice.url('three'), 'main')).toMatchObject({ code: 0 });
  });

  test('is not created by a fetch, nor by a push that brings nothing', async () => {
    const bob = await door.person('bob');
    expect((await bob.git('/', 'ls-remote', bob.url('wished'))).code).toBe(128);
    // The conversation of a push that finds nothing to send.
    const { code } = await bob.ssh(["git-receive-pack 'wished.git'"], { input: '0000' });
    expect(code).toBe(0);
    expect(await door.app('wished')).toBeUndefined();
    expect(existsSync(door.repository('wished'))).toBe(false);
  });

  test('has a name in lower case', async () => {
    const carol = await door.person('carol');
    const work = await carol.repository();
    const { code, stderr } = await carol.git(work, 'push', carol.url('Shop'), 'main');
    expect(code).toBe(128);
    expect(stderr).toContain(" !     'Shop' can not be the name of a new app.\n");
    expect(stderr).toContain('Use lower-case letters');
  });
});

describe('where pushes create no apps', () => {
  let door: Door;
  let alice: Person;

  beforeAll(async () => {
    door = new Door({ GITMOUTH_CREATE_ON_PUSH: 'off' });
    await door.start();
    alice = await door.person('alice');
  });

  afterAll(() => door.stop());

  test('a push to a missing app is refused, until the operator has made it', async () => {
    const work = await alice.repository();
    const { code, stderr } = await alice.git(work, 'push', alice.url('made'), 'main');
    expect(code).toBe(128);
    expect(stderr).toContain(" !     You may not push to 'made', or there is no such app.\n");
    expect((await door.cli('app', 'create', 'made', '--owner', 'alice')).code).toBe(0);
    expect(await alice.git(work, 'push', alice.url('made'), 'main')).toMatchObject({ code: 0 });
    expect(await door.app('made')).toMatchObject({ owner: 'alice', branch: 'main' });
  });

  test('a push to a forbidden app and to a missing one are refused in the same words', async () => {
    const bob = await door.person('bob');
    expect((await door.cli('app', 'create', 'hidden', '--owner', 'alice')).code).toBe(0);
    const answers = await Promise.all(
      ['hidden', 'absent'].map((app) => bob.ssh([`git-receive-pack '${app}.git'`], { input: '0000' })),
    );
    const [hidden, absent] = answers.map(({ code, stdout, stderr }) => ({
      code,
      stdout,
      stderr: stderr.replace(/'(hidden|absent)'/, "'…'").replace(/Session \S+/, 'Session …'),
    }));
    expect(hidden).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining("push to '…', or there is no"),
    });
    expect(absent).toEqual(hidden);
  });
});
