/** The operator's commands, all while the server runs: what they do counts from the next request on. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, execute, type Person, type Result } from '../support/door.js';
import { Master } from '../support/master.js';
import { needs } from '../support/programs.js';
import { refOf } from '../support/remains.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const door = new Door();
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

/** As JSON, what a list says. */
async function listed(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout } = await door.cli(...args, '--json');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>[];
}

async function newKey(comment = 'a comment'): Promise<{ file: string; fingerprint: string }> {
  const file = join(temporaryFolder('key'), 'id');
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
  const { stdout } = await execute('ssh-keygen', ['-l', '-f', file]);
  return { file: `${file}.pub`, fingerprint: /SHA256:\S+/.exec(stdout)?.[0] ?? '' };
}

function canRead(person: Person, app = 'shared'): Promise<Result> {
  return person.git(folder, 'ls-remote', person.url(app));
}

describe('users and keys', () => {
  test('are added, listed and removed', async () => {
    const [one, two, three] = await Promise.all([newKey('laptop'), newKey('desk'), newKey('phone')]);
    const added = await door.cli('user', 'add', 'carl', '--key', one.file, '--key', two.file);
    expect(added).toEqual({ code: 0, stdout: expect.stringContaining('Added the user carl.'), stderr: '' });
    for (const { fingerprint } of [one, two]) expect(added.stdout).toContain(fingerprint);
    expect(await listed('user', 'list')).toContainEqual(expect.objectContaining({ name: 'carl', keys: 2, apps: 0 }));
    expect((await door.cli('user', 'list')).stdout).toMatch(/^carl +2 +0 +\d{4}-\d\d-\d\d$/m);

    expect((await door.cli('key', 'add', 'carl', three.file)).stdout).toContain(
      `Added ssh-ed25519 ${three.fingerprint}`,
    );
    expect((await door.cli('key', 'add', 'carl', three.file)).stdout).toContain(`Already there:`);
    const keys = await listed('key', 'list', 'carl');
    expect(keys.map(({ sha256, comment }) => [sha256, comment]).sort()).toEqual(
      [one, two, three].map(({ fingerprint }, index) => [fingerprint, ['laptop', 'desk', 'phone'][index]]).sort(),
    );
    expect((await door.cli('key', 'list', 'carl')).stdout).toContain('phone');

    expect(await door.cli('key', 'remove', 'carl', three.fingerprint)).toMatchObject({ code: 0, stderr: '' });
    expect(await listed('key', 'list', 'carl')).toHaveLength(2);
    expect(await door.cli('user', 'remove', 'carl')).toEqual({
      code: 0,
      stdout: 'Removed the user carl.\n',
      stderr: '',
    });
    expect(await listed('user', 'list')).not.toContainEqual(expect.objectContaining({ name: 'carl' }));
    expect((await door.cli('user', 'add', 'someone-else', '--key', one.file)).code).toBe(0);
  });

  test('a key counts from the next log-in on', async () => {
    const late = await door.person('late', { isStranger: true });
    expect((await late.ssh(['-T'])).stderr).toContain('Permission denied (publickey)');
    expect((await door.cli('user', 'add', 'late')).stdout).toContain('key add late FILE');
    expect((await door.cli('key', 'add', 'late', late.publicKeyFile)).code).toBe(0);
    expect((await late.ssh(['-T'])).stderr).toContain('Hi late!');
  });

  test('a removed key ends the connections that proved it, and no others', async () => {
    const leaver = await door.person('leaver');
    const [leaving, staying] = [await Master.open(leaver), await Master.open(owner)];
    try {
      const [key] = await listed('key', 'list', 'leaver');
      expect((await door.cli('key', 'remove', 'leaver', String(key?.['sha256']))).code).toBe(0);
      await leaving.process.ended();
      expect((await leaver.ssh(['-T'])).stderr).toContain('Permission denied');
      expect((await staying.git(folder, 'ls-remote', owner.url('shared'))).code).toBe(0);
    } finally {
      await Promise.all([leaving.close(), staying.close()]);
    }
  });

  test('bad input is answered by a sentence that says what to do', async () => {
    const { file } = await newKey();
    const privateFile = file.slice(0, -'.pub'.length);
    const text = join(temporaryFolder('text'), 'text');
    writeFileSync(text, 'ssh-ed25519 no-key-at-all\n');
    const both = join(temporaryFolder('text'), 'both');
    writeFileSync(both, '# nothing but words\n');
    await refused(['user', 'add', 'Not A Name'], /can't name a user\. A name has at most 32 lower-case letters/);
    await refused(['user', 'add', 'owner'], /There is a user 'owner' already\. To give them a key: key add owner FILE/);
    await refused(['user', 'add', 'x', '--key', privateFile], /holds a private key: give the file that ends in \.pub/);
    await refused(['user', 'add', 'x', '--key', '/no/such.pub'], /no\/such\.pub can't be read \(ENOENT\): give/);
    await refused(['user', 'add', 'x', '--key', text], /text, line 1: this is not a public key/);
    await refused(['user', 'add', 'x', '--key', both], /holds no public key/);
    expect(await listed('user', 'list')).not.toContainEqual(expect.objectContaining({ name: 'x' }));
    await refused(['user', 'remove', 'nobody'], /There is no user 'nobody'/);
    await refused(['user', 'remove', 'owner'], /'owner' owns shared\. Destroy each of them/);
    await refused(['key', 'add', 'nobody', file], /There is no user 'nobody'/);
    await refused(['key', 'add', 'friend', owner.publicKeyFile], /belongs to 'owner'.*key remove owner SHA256:/);
    await refused(['key', 'list', 'nobody'], /There is no user 'nobody'/);
    await refused(['key', 'remove', 'owner', 'SHA256:nothing'], /'owner' has no key .*Their keys: key list owner/);
    await refused(['user', 'add'], /missing required argument 'name'/);
    await refused(['user'], /Usage: gitmouth user/);
  });
});

describe('apps', () => {
  test('are created, listed, changed and destroyed', async () => {
    expect((await door.cli('app', 'create', 'made', '--owner', 'owner')).stdout).toContain('Created the app made');
    expect(await listed('app', 'list')).toContainEqual(
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
    expect((await canRead(owner, 'made')).stderr).toContain("'made', or there is no such app");
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
      expect(await listed('app', 'list')).toContainEqual(
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
    await refused(['app', 'create', 'No', '--owner', 'owner'], /'No' can't name an app\. A name has at most 63/);
    await refused(['app', 'create', '../etc', '--owner', 'owner'], /can't name an app/);
    await refused(
      ['app', 'create', 'shared', '--owner', 'owner'],
      /There is an app 'shared' already, owned by 'owner'/,
    );
    await refused(['app', 'create', 'new', '--owner', 'nobody'], /There is no user 'nobody'/);
    await refused(['app', 'create', 'new'], /required option '--owner <user>'/);
    await refused(
      ['app', 'create', 'new', '--owner', 'owner', '--import', '/no/such'],
      /was not imported: there is no such/,
    );
    await refused(['app', 'create', 'new', '--owner', 'owner', '--import', empty], /was not imported: git ended with/);
    expect(await listed('app', 'list')).not.toContainEqual(expect.objectContaining({ name: 'new' }));
    expect(readdirSync(join(door.data, 'repositories'))).toEqual(['shared.git']);
    await refused(['app', 'share', 'none', 'friend'], /There is no app 'none'\. The apps there are: app list/);
    await refused(['app', 'share', 'shared', 'nobody'], /There is no user 'nobody'/);
    await refused(['app', 'share', 'shared', 'owner'], /'owner' owns 'shared' and may do everything/);
    await refused(['app', 'share', 'shared', 'friend', '--access', 'all'], /It must be read or write/);
    await refused(['app', 'unshare', 'shared', 'nobody'], /'shared' is not shared with 'nobody'/);
    await refused(['app', 'set', 'shared'], /say what to set/);
    await refused(['app', 'set', 'shared', '--branch', 'a..b'], /'a\.\.b' can't name a branch/);
    await refused(['app', 'set', 'shared', '--archive', 'yes'], /It must be on or off/);
    await refused(['app', 'set', 'none', '--archive', 'on'], /There is no app 'none'/);
    await refused(['app', 'destroy', 'none'], /There is no app 'none'/);
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
    expect(await listed('app', 'list')).toContainEqual(expect.objectContaining({ name: 'taken', branch: 'main' }));
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
    const { stderr } = await refused(
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

describe('hostkey show', () => {
  test('shows lines for known_hosts that clients accept', async () => {
    const keys = await listed('hostkey', 'show');
    expect(keys.map(({ algorithm }) => algorithm)).toEqual(['ssh-ed25519', 'ssh-rsa']);
    const { stdout } = await door.cli('hostkey', 'show');
    for (const key of keys) expect(stdout).toContain(`${String(key['fingerprint'])}\n  ${String(key['publicKey'])}`);
    expect(door.knownHosts()).toContain(String(keys[0]?.['publicKey']));
  });

  test('says what makes them while there are none', async () => {
    const data = join(temporaryFolder('none'), 'data');
    await refused(['hostkey', 'show', '--data', data], /there are no host keys yet: the first start makes them/);
    expect(existsSync(data)).toBe(false);
  });
});

describe('lists', () => {
  test('of nothing say how to begin, and are empty as JSON', async () => {
    const data = join(temporaryFolder('none'), 'data');
    expect((await door.cli('user', 'list', '--data', data)).stdout).toMatch(
      /^No users yet\. Add one: gitmouth user add/,
    );
    expect((await door.cli('app', 'list', '--data', data)).stdout).toMatch(/^No apps yet\. A push creates one/);
    expect((await door.cli('user', 'list', '--data', data, '--json')).stdout).toBe('[]\n');
    expect((await door.cli('app', 'list', '--data', data, '--json')).stdout).toBe('[]\n');
  });
});

describe('control characters', () => {
  const EVIL = '\u001b[2J\u009b31m\u202e\rgone';

  test('in what was given reach no terminal raw', async () => {
    const file = join(temporaryFolder('evil'), `${EVIL}.pub`);
    await Promise.all(
      [
        ['user', 'add', EVIL],
        ['user', 'add', 'x', '--key', file],
        ['user', 'remove', EVIL],
        ['key', 'list', EVIL],
        ['key', 'remove', 'owner', EVIL],
        ['app', 'create', EVIL, '--owner', 'owner'],
        ['app', 'create', 'x', '--owner', EVIL],
        ['app', 'create', 'x', '--owner', 'owner', '--import', file],
        ['app', 'share', 'shared', EVIL],
        ['app', 'set', 'shared', '--branch', EVIL],
        ['app', 'set', 'shared', '--archive', EVIL],
        ['app', 'destroy', EVIL],
        [EVIL],
        ['user', EVIL],
      ].map((args) => refused(args, /\\u001b\[2J\\u009b31m\\u202e\\u000d/)),
    );
  });

  test('in the comment of a key reach no terminal raw', async () => {
    const { file } = await newKey('harmless');
    const line = readFileSync(file, 'utf8').trim();
    writeFileSync(file, `${line.replace('harmless', EVIL.replace('\r', ''))}\n`);
    expect((await door.cli('user', 'add', 'evil', '--key', file)).code).toBe(0);
    for (const args of [
      ['key', 'list', 'evil'],
      ['key', 'list', 'evil', '--json'],
      ['user', 'list'],
    ]) {
      expect((await door.cli(...args)).stdout).not.toMatch(UNSAFE);
    }
  });
});

// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

/** Exit status 1, nothing on standard output, one clean sentence on standard error. */
async function refused(args: readonly string[], sentence: RegExp): Promise<Result> {
  const result = await door.cli(...args);
  expect({ args, ...result }).toEqual({ args, code: 1, stdout: '', stderr: expect.stringMatching(sentence) });
  expect(result.stderr).not.toMatch(/^ +at |node:internal/m);
  expect(result.stderr).not.toMatch(UNSAFE);
  return result;
}
