/** The operator's commands for apps, all while the server runs: what they do counts from the next request on. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, execute, type Person } from '../support/door.js';
import { Master } from '../support/master.js';
import { Operator } from '../support/operator.js';
import { needs } from '../support/programs.js';
import { refOf } from '../support/remains.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const door = new Door();
const operator = new Operator(door);
let owner: Person;
let friend: Person;
let folder: string;

beforeAll(async () => {
  await door.start();
  [owner, friend] = await Promise.all([door.person('owner'), door.person('friend')]);
  folder = await owner.repository();
  await owner.must(folder, 'push', '-q', owner.url('shared'), 'main');
});

afterAll(() => door.stop());

describe('apps', () => {
  test('are created, listed, changed and destroyed', async () => {
    expect((await door.cli('app', 'create', 'made', '--owner', 'owner')).stdout).toContain('Created the app made');
    expect(await operator.listed('app', 'list')).toContainEqual(
      expect.objectContaining({ name: 'made', owner: 'owner', archive: false, shares: [] }),
    );
    expect((await owner.git(folder, 'push', owner.url('made'), 'main')).code).toBe(0);
    expect((await door.cli('app', 'set', 'made', '--branch', 'live', '--archive', 'on')).code).toBe(0);
    expect((await door.cli('app', 'list')).stdout).toMatch(/^made +owner +live +on +- +\d{4}-\d\d-\d\d$/m);
    // Of the branch that is deployed there is nothing yet: a push elsewhere says so.
    const aside = await owner.git(folder, 'push', owner.url('made'), 'main:aside');
    expect(aside.stderr).toContain("does not touch 'live'");
    const archive = await owner.git(folder, 'archive', `--remote=${owner.url('made')}`, 'main');
    expect(archive).toMatchObject({ code: 0, stdout: expect.stringContaining('README.md') });
    expect((await door.cli('app', 'set', 'made', '--archive', 'off')).code).toBe(0);
    const refusedArchive = await owner.git(folder, 'archive', `--remote=${owner.url('made')}`, 'main');
    expect(refusedArchive.code).not.toBe(0);
    expect(refusedArchive.stderr).toContain('does not give out archives');

    expect(existsSync(door.repository('made'))).toBe(true);
    expect((await door.cli('app', 'destroy', 'made')).stdout).toBe('Destroyed the app made.\n');
    expect(existsSync(door.repository('made'))).toBe(false);
    expect(readdirSync(join(door.data, 'repositories'))).toEqual(['shared.git']);
    expect((await owner.git(folder, 'ls-remote', owner.url('made'))).stderr).toContain(
      "'made', or there is no such app",
    );
  });

  test('are shared and unshared, and that counts for the next request of an open connection', async () => {
    const connection = await Master.open(friend);
    const read = () => connection.git(folder, 'ls-remote', friend.url('shared'));
    const push = () => connection.git(folder, 'push', '--force', friend.url('shared'), 'main:by-friend');
    try {
      expect((await read()).stderr).toContain("You may not fetch from 'shared', or there is no such app.");
      expect((await door.cli('app', 'share', 'shared', 'friend')).stdout).toBe('friend may now read shared.\n');
      expect((await read()).code).toBe(0);
      expect((await push()).stderr).toContain("You may not push to 'shared'");
      expect((await door.cli('app', 'share', 'shared', 'friend', '--access', 'write')).code).toBe(0);
      expect((await push()).code).toBe(0);
      expect(await operator.listed('app', 'list')).toContainEqual(
        expect.objectContaining({ name: 'shared', shares: [{ user: 'friend', access: 'write' }] }),
      );
      expect((await door.cli('app', 'unshare', 'shared', 'friend')).code).toBe(0);
      expect((await read()).stderr).toContain("You may not fetch from 'shared'");
    } finally {
      await connection.close();
    }
  });

  test('bad input is answered by a sentence that says what to do', async () => {
    const empty = temporaryFolder('empty');
    await operator.allRefused([
      [['app', 'create', 'No', '--owner', 'owner'], /'No' can't name an app\. A name has at most 63/],
      [['app', 'create', '../etc', '--owner', 'owner'], /can't name an app/],
      [['app', 'create', 'shared', '--owner', 'owner'], /There is an app 'shared' already, owned by 'owner'/],
      [['app', 'create', 'new', '--owner', 'nobody'], /There is no user 'nobody'/],
      [['app', 'create', 'new'], /required option '--owner <user>'/],
      [['app', 'create', 'new', '--owner', 'owner', '--import', '/no/such'], /was not imported: there is no such/],
      [['app', 'create', 'new', '--owner', 'owner', '--import', empty], /was not imported: git ended with/],
    ]);
    expect(await operator.listed('app', 'list')).not.toContainEqual(expect.objectContaining({ name: 'new' }));
    expect(readdirSync(join(door.data, 'repositories'))).toEqual(['shared.git']);
    await operator.allRefused([
      [['app', 'share', 'none', 'friend'], /There is no app 'none'\. The apps there are: app list/],
      [['app', 'share', 'shared', 'nobody'], /There is no user 'nobody'/],
      [['app', 'share', 'shared', 'owner'], /'owner' owns 'shared' and may do everything/],
      [['app', 'share', 'shared', 'friend', '--access', 'all'], /It must be read or write/],
      [['app', 'unshare', 'shared', 'nobody'], /'shared' is not shared with 'nobody'/],
      [['app', 'set', 'shared'], /say what to set/],
      [['app', 'set', 'shared', '--branch', 'a..b'], /'a\.\.b' can't name a branch/],
      [['app', 'set', 'shared', '--archive', 'yes'], /It must be on or off/],
      [['app', 'set', 'none', '--archive', 'on'], /There is no app 'none'/],
      [['app', 'destroy', 'none'], /There is no app 'none'/],
    ]);
  });
});

describe('the import of a repository', () => {
  test('takes refs and objects, and neither hooks nor config', async () => {
    const source = await owner.repository();
    await owner.must(source, 'tag', '-a', 'v1', '-m', 'one');
    await owner.must(source, 'branch', 'side');
    await owner.must(source, 'config', 'core.fsmonitor', 'touch /tmp/never');
    await owner.must(source, 'config', 'uploadpack.packObjectsHook', 'touch /tmp/never');
    writeFileSync(join(source, '.git/hooks/post-receive'), '#!/bin/sh\necho "a hook of the source"\n', { mode: 0o755 });
    const created = await door.cli('app', 'create', 'taken', '--owner', 'owner', '--import', source);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    for (const ref of ['refs/heads/main', 'refs/heads/side', 'refs/tags/v1']) {
      expect(await door.inRepository('taken', 'rev-parse', ref)).toBe(await owner.must(source, 'rev-parse', ref));
    }
    expect(readdirSync(door.repository('taken'))).not.toContain('hooks');
    expect(await door.inRepository('taken', 'config', '--local', '--list')).not.toMatch(/fsmonitor|packobjectshook/i);
    expect(await operator.listed('app', 'list')).toContainEqual(
      expect.objectContaining({ name: 'taken', branch: 'main' }),
    );
    await owner.commit(source, { more: 'more\n' });
    const pushed = await owner.git(source, 'push', owner.url('taken'), 'main');
    expect(pushed.code).toBe(0);
    expect(pushed.stderr).not.toContain('a hook of the source');
  });

  test('of one that borrows its objects is refused with a way that works', async () => {
    const lender = await owner.repository();
    const borrower = join(temporaryFolder('import'), 'borrower');
    await owner.must(lender, 'clone', '-q', '--shared', '--bare', lender, borrower);
    const args = ['app', 'create', 'borrowed', '--owner', 'owner', '--import'];
    const { stderr } = await operator.refused(
      [...args, borrower],
      /it borrows objects from another repository; make a whole copy/,
    );
    const [, advice = ''] = /\((git clone [^)]+) COPY\)/.exec(stderr) ?? [];
    const copy = join(temporaryFolder('import'), 'copy');
    expect((await execute('sh', ['-c', `${advice} ${copy}`], { env: owner.environment })).code).toBe(0);
    expect(await door.cli(...args, copy)).toMatchObject({ code: 0 });
    const main = await owner.must(lender, 'rev-parse', 'main');
    expect(await refOf(door.repository('borrowed'), 'refs/heads/main')).toBe(main);
    expect(existsSync(join(door.repository('borrowed'), 'objects/info/alternates'))).toBe(false);
  });
});
