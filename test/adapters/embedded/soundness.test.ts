/**
 * A hook runs with the repository writable, and can leave anything in it: for git to run, read or wait for in a later
 * session, or for the server, which may be root, to follow out of the repository.
 */
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Repositories } from '../../../src/adapters/embedded/repositories.js';
import { repositoryConfig } from '../../../src/adapters/embedded/repository-config.js';
import { REPOSITORY } from '../../../src/adapters/embedded/repository-run.js';
import { temporaryFolder } from '../../support/temporary.js';
import { alone, git, owner, ownedFolder, sampleWork } from './house.js';
import { unsandboxed } from './run-unsandboxed.js';

let template: string;
let repositories: Repositories;
let path: string;
/** A folder outside that whoever runs the jobs could write to, and links point to. */
let outside: string;

beforeAll(async () => {
  const made = repositoriesIn(temporaryFolder('template'));
  await made.create('shop', alone);
  template = made.path('shop');
  git(sampleWork(), 'push', '--quiet', template, 'main', 'main:refs/heads/other');
});

beforeEach(() => {
  const folder = temporaryFolder('repositories');
  repositories = repositoriesIn(folder);
  path = repositories.path('shop');
  execFileSync('cp', ['-a', template, path]);
  outside = ownedFolder('outside');
  mkdirSync(join(outside, 'folder'), { mode: 0o777 });
  for (const name of ['file', 'folder/alternates', 'folder/http-alternates', 'folder/grafts', 'folder/attributes']) {
    writeFileSync(join(outside, name), 'kept', { mode: 0o666 });
  }
});

afterEach(() => {
  expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('kept');
  expect(readdirSync(join(outside, 'folder')).sort()).toEqual([
    'alternates',
    'attributes',
    'grafts',
    'http-alternates',
  ]);
});

function repositoriesIn(folder: string): Repositories {
  const settings = { maxPackBytes: 0 };
  return new Repositories({ folder, settings, run: unsandboxed(owner), ...(owner === undefined ? {} : { owner }) });
}

async function asHook(script: string): Promise<void> {
  const argv = ['sh', '-ec', `cd "$1"; outside=$2; ${script}`, 'hook', REPOSITORY, outside] as const;
  const result = await unsandboxed(owner)({ repository: path, access: 'write', argv: [...argv] });
  expect([result.code, result.stderr]).toEqual([0, '']);
}

function text(name: string): string {
  return readFileSync(join(path, name), 'utf8');
}

const LAID_OUT = ['HEAD', 'config', 'objects', 'refs'];

function expectSound(): void {
  expect(['config', 'HEAD'].map((name) => lstatSync(join(path, name)).isFile())).toEqual([true, true]);
  expect(text('config')).toBe(repositoryConfig({ maxPackBytes: 0 }));
  expect(text('HEAD')).toBe('ref: refs/heads/main\n');
  expect(readdirSync(path).filter((name) => name !== 'info')).toEqual(LAID_OUT);
  const refs = git(path, 'for-each-ref', '--format=%(objecttype) %(refname)');
  expect(refs).toBe('commit refs/heads/main\ncommit refs/heads/other\n');
}

const DAMAGE: readonly (readonly [string, string])[] = [
  ['settings that run programs', "git config core.fsmonitor 'touch x'; git config core.sshCommand 'touch x'"],
  ['settings cut short', 'head -c 20 config > c; mv c config'],
  ['no settings', 'rm config'],
  ['settings as a link to a file outside', 'ln -sf "$outside/file" config'],
  ['settings as a link to the same text', 'mv config "$outside/same"; ln -s "$outside/same" config'],
  ['settings as a pipe, for the server to wait on', 'rm config; mkfifo config'],
  ['settings as a folder', 'rm config; mkdir -p config/full/of; touch config/full/of/files'],
  ['settings as a link to a folder outside', 'rm config; ln -s "$outside/folder" config'],
  ['settings that nobody may read', 'echo x > config; chmod 0 config'],
  ['settings that never end', 'rm config; ln -s /dev/zero config'],
  ['HEAD on another branch', 'git symbolic-ref HEAD refs/heads/other'],
  ['HEAD out of the repository', 'printf "ref: refs/heads/../../../outside\\n" > HEAD'],
  ['HEAD on no branch', 'cat refs/heads/main > HEAD'],
  ['HEAD with more behind it', 'printf "ref: refs/heads/main\\nmore" > HEAD'],
  ['HEAD as a link', 'ln -sf refs/heads/main HEAD'],
  ['HEAD as a pipe', 'rm HEAD; mkfifo HEAD'],
  ['HEAD as a folder', 'rm HEAD; mkdir HEAD; touch HEAD/file'],
  ['no HEAD', 'rm HEAD'],
  ['a hook', 'mkdir hooks; printf "#!/bin/sh\\n" > hooks/pre-receive; chmod 755 hooks/pre-receive'],
  ['a link to a folder of hooks', 'ln -s "$outside/folder" hooks'],
  ["another repository's objects", 'echo "$outside/folder" > objects/info/alternates'],
  ['objects from the network', 'echo http://192.0.2.1/ > objects/info/http-alternates'],
  ['alternates as a pipe', 'mkfifo objects/info/alternates'],
  ['a folder of alternates outside', 'rmdir objects/info; ln -s "$outside/folder" objects/info'],
  ['another common folder', 'echo "$outside/folder" > commondir'],
  ['a common folder as a link', 'ln -s "$outside/file" commondir'],
  ['another repository named', 'echo "$outside" > gitdir'],
  ['settings of a work tree', 'echo "[core]" > config.worktree'],
  ['work trees', 'mkdir -p worktrees/a; echo "$outside" > worktrees/a/gitdir'],
  ['submodules', 'mkdir -p modules/a/hooks'],
  ['grafts', 'mkdir -p info; echo x > info/grafts'],
  ['attributes', 'mkdir -p info; echo "* export-subst" > info/attributes'],
  ['a folder of attributes outside', 'rm -rf info; ln -s "$outside/folder" info'],
  ['a pipe in place of the folder of attributes', 'rm -rf info; mkfifo info'],
  ['packed refs as a pipe', 'mkfifo packed-refs'],
  ['a commit graph as a pipe', 'mkfifo objects/info/commit-graph'],
  ['a pack folder that is closed', 'chmod 0 objects/pack'],
  ['a pack folder that is gone', 'rmdir objects/pack objects/info'],
  ['a repository that is closed', 'chmod 0 .'],
];

test.each(DAMAGE)('before a session a repository is mended that has %s', async (_, script) => {
  await asHook(script);
  await repositories.ensureSound('shop', 'read', 'main');
  expectSound();
});

test('readers who come at the same time all find it mended', async () => {
  await asHook('rm -r config objects/pack; mkdir hooks; touch hooks/update; echo nonsense > HEAD');
  const readers = Array.from({ length: 6 }, () => repositories.ensureSound('shop', 'read', 'main'));
  expect(await Promise.all(readers)).toHaveLength(6);
  expectSound();
});

describe.each(['read', 'write'] as const)('before a session that may %s', (access) => {
  test('a repository is mended that has much of that at once', async () => {
    await asHook('mkdir hooks; rm -f config; mkfifo config packed-refs; ln -sf "$outside/file" HEAD; chmod 0 .');
    await repositories.ensureSound('shop', access, 'main');
    expectSound();
  });

  test('a sound repository stays as it is', async () => {
    await repositories.ensureSound('shop', access, 'main');
    expectSound();
  });

  test.each(['objects', 'refs'])('a link in place of %s is not followed and not mended, but told', async (name) => {
    await asHook(`mv ${name} away; ln -s "$outside/folder" ${name}`);
    await expect(repositories.ensureSound('shop', access, 'main')).rejects.toMatchObject({
      code: 'GM_REPOSITORY',
      stage: 'provision',
      message: expect.stringContaining('is a link') as unknown,
    });
  });

  test('a repository that is missing is told, and none is made in its place', async () => {
    repositories.retire('shop');
    await expect(repositories.ensureSound('shop', access)).rejects.toMatchObject({ code: 'GM_REPOSITORY' });
    expect(await repositories.exists('shop')).toBe(false);
  });

  test('HEAD is left where it is while no branch is known, and mended if it is nonsense', async () => {
    await asHook('git symbolic-ref HEAD refs/heads/other');
    await repositories.ensureSound('shop', access);
    expect(text('HEAD')).toBe('ref: refs/heads/other\n');
    await asHook('echo nonsense > HEAD');
    await repositories.ensureSound('shop', access);
    expect(text('HEAD')).toBe('ref: refs/heads/main\n');
  });

  test('mending that is given up rejects with the reason of the signal', async () => {
    await asHook('rm config');
    const reason = new Error('given up');
    const call = repositories.ensureSound('shop', access, 'main', AbortSignal.abort(reason));
    await expect(call).rejects.toBe(reason);
  });
});

const LEFTOVERS = [
  'HEAD.lock',
  'config.lock',
  'packed-refs.lock',
  'packed-refs.new',
  'shallow.lock',
  'shallow_a1B2c3',
  'gc.pid',
  'gitmouth.a1B2c3',
  'refs/heads/main.lock',
  'refs/heads/team/topic.lock',
  'objects/tmp_objdir-incoming-a1B2c3/pack/tmp_pack_a1B2c3',
  'objects/incoming-a1B2c3/file',
  'objects/tmp_obj_a1B2c3',
  'objects/a0/tmp_obj_a1B2c3',
  'objects/pack/tmp_pack_a1B2c3',
  'objects/pack/tmp_idx_a1B2c3',
  'objects/pack/.tmp-42-pack-0123.pack',
  'objects/pack/multi-pack-index.lock',
  'objects/pack/pack-0123.keep',
  'objects/info/commit-graph.lock',
  'objects/info/commit-graphs/tmp_graph_a1B2c3',
];

describe('what killed git processes left behind', () => {
  beforeEach(async () => {
    await asHook(
      LEFTOVERS.map((name) => `mkdir -p "$(dirname "${name}")"; echo x > "${name}"`).join('; ') +
        '; mkfifo objects/a0/pipe; ln -s "$outside/folder" objects/b0; ln -s "$outside/file" refs/heads/linked',
    );
  });

  const left = (): readonly string[] =>
    readdirSync(path, { recursive: true, encoding: 'utf8' }).filter(
      (name) => LEFTOVERS.includes(name) || ['objects/a0/pipe', 'objects/b0', 'refs/heads/linked'].includes(name),
    );

  test('goes before the next writer, who alone may write; nothing else does', async () => {
    expect(left()).toHaveLength(LEFTOVERS.length + 3);
    await repositories.ensureSound('shop', 'write', 'main');
    expect(left()).toEqual([]);
    expectSound();
  });

  test('goes although it is closed to its owner, folder in folder', async () => {
    await asHook('mkdir -p junk/in refs/heads/closed; mkfifo junk/in/pipe; chmod 0 junk/in junk refs/heads/closed');
    await repositories.ensureSound('shop', 'write', 'main');
    await repositories.ensureSound('shop', 'write', 'main');
    expect(left()).toEqual([]);
    expect(readdirSync(join(path, 'junk/in'))).toEqual([]);
  });

  test('is left to the writer it may belong to by a reader, also when the reader has to mend', async () => {
    await asHook('rm -f HEAD');
    await repositories.ensureSound('shop', 'read', 'main');
    expect(left()).toHaveLength(LEFTOVERS.length + 3);
    expect(text('HEAD')).toBe('ref: refs/heads/main\n');
  });
});
