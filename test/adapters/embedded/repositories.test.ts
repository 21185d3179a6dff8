import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Repositories } from '../../../src/adapters/embedded/repositories.js';
import { repositoryConfig } from '../../../src/adapters/embedded/repository-config.js';
import { REPOSITORY } from '../../../src/adapters/embedded/repository-run.js';
import { alone, git, openHouse, owner, ownedFolder, sampleWork, type House } from './house.js';
import {
  borrowingClone,
  forbiddenObject,
  giveTo,
  lackingObject,
  linkedWorkTree,
  shallowClone,
} from './import-sources.js';
import { unsandboxed } from './run-unsandboxed.js';

let house: House;
let repositories: Repositories;

beforeEach(() => {
  house = openHouse();
  repositories = house.repositories;
});

afterEach(() => {
  house.close();
});

/** Everything in the folder of repositories, hidden or not. */
function lying(): readonly string[] {
  return readdirSync(join(house.folder, 'repositories')).sort();
}

/** What a hook of the app's own could do. */
async function asHook(app: string, script: string): Promise<void> {
  const argv = ['sh', '-ec', `cd "$1"; ${script}`, 'hook', REPOSITORY] as const;
  const result = await unsandboxed(owner)({ repository: repositories.path(app), access: 'write', argv: [...argv] });
  expect([result.code, result.stderr]).toEqual([0, '']);
}

describe('a new repository', () => {
  test('is one that git is content with, empty, closed to others, and its owner can push to', async () => {
    await repositories.create('shop', alone);
    const path = repositories.path('shop');
    expect(git(path, 'fsck', '--strict')).toBe('');
    expect(await repositories.hasRefs('shop')).toBe(false);
    expect(await repositories.headBranch('shop')).toBeUndefined();
    git(sampleWork(), 'push', '--quiet', path, 'main');
    expect(await repositories.hasRefs('shop')).toBe(true);
    expect(await repositories.headBranch('shop')).toBe('main');
    expect(lying()).toEqual(['shop.git']);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const uid = owner?.uid ?? process.getuid?.();
    for (const name of ['', ...readdirSync(path, { recursive: true, encoding: 'utf8' })]) {
      expect([name, lstatSync(join(path, name)).uid]).toEqual([name, uid]);
    }
  });

  test('has HEAD on the branch that was asked for', async () => {
    await repositories.create('shop', alone, 'live');
    expect(readFileSync(join(repositories.path('shop'), 'HEAD'), 'utf8')).toBe('ref: refs/heads/live\n');
  });

  test('does not take the place of another, and leaves nothing when it was refused', async () => {
    await repositories.create('shop', alone);
    git(sampleWork(), 'push', '--quiet', repositories.path('shop'), 'main');
    await expect(repositories.create('shop', alone)).rejects.toMatchObject({ code: 'GM_REPOSITORY' });
    expect(await repositories.hasRefs('shop')).toBe(true);
    expect(lying()).toEqual(['shop.git']);
  });

  test.each(['../shop', 'a/b', '', '.git', 'shop\0'])('is not made for an app named %j', async (name) => {
    expect(() => repositories.path(name)).toThrow('no app');
    await expect(repositories.create(name, alone)).rejects.toThrow('no app');
    expect(existsSync(join(house.folder, 'shop.git'))).toBe(false);
  });

  test('is not put in its place by one who has lost the lock meanwhile', async () => {
    const why = new Error('another has it');
    const held = () => {
      throw why;
    };
    await expect(repositories.create('shop', held)).rejects.toBe(why);
    expect(await repositories.exists('shop')).toBe(false);
    expect(await repositories.leftovers()).toEqual([]);
  });

  test('is understood by git as it is meant', async () => {
    await repositories.create('shop', alone);
    const value = (key: string) => git(repositories.path('shop'), 'config', '--local', '--get', key).trim();
    expect(value('transfer.fsckObjects')).toBe('true');
    expect(value('receive.advertisePushOptions')).toBe('true');
    expect(value('uploadpack.allowFilter')).toBe('true');
    expect(value('core.bare')).toBe('true');
    expect(value('core.fsync')).toBe('committed,reference');
  });

  test('takes no pack that is larger than the settings say', async () => {
    const small = new Repositories({
      folder: join(house.folder, 'small'),
      settings: { maxPackBytes: 4096 },
      run: unsandboxed(owner),
      ...(owner === undefined ? {} : { owner }),
    });
    await small.create('shop', alone);
    const work = sampleWork();
    git(work, 'push', '--quiet', small.path('shop'), 'main:before');
    writeFileSync(join(work, 'large'), randomBytes(20_000));
    git(work, 'add', 'large');
    git(work, 'commit', '--quiet', '--message=large');
    expect(() => git(work, 'push', '--quiet', small.path('shop'), 'main:after')).toThrow(
      'exceeds maximum allowed size',
    );
    expect(git(small.path('shop'), 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/before\n');
  });
});

describe('an import', () => {
  test.each(['a work tree', 'a bare repository'])('of %s copies every ref and follows its HEAD', async (kind) => {
    const work = sampleWork('trunk');
    git(work, 'tag', '--annotate', '--message=one', 'v1');
    git(work, 'branch', 'team/topic');
    git(work, 'update-ref', 'refs/notes/commits', 'trunk');
    const source = kind === 'a work tree' ? work : join(ownedFolder('bare'), 'it.git');
    if (source !== work) git(work, 'clone', '--quiet', '--mirror', work, source);
    expect(await repositories.importFrom('shop', source, alone)).toBe('trunk');
    const path = repositories.path('shop');
    const refs = (folder: string) => git(folder, 'for-each-ref', '--format=%(objectname) %(objecttype) %(refname)');
    expect(refs(path)).toBe(refs(work));
    expect(refs(path).split('\n')).toHaveLength(5);
    expect(git(path, 'fsck', '--strict', '--connectivity-only')).toBe('');
    expect(await repositories.headBranch('shop')).toBe('trunk');
    expect(lying()).toEqual(['shop.git']);
  });

  test('takes over neither hooks nor settings, and leaves a sound repository', async () => {
    const work = sampleWork();
    mkdirSync(join(work, '.git/hooks'), { recursive: true });
    writeFileSync(join(work, '.git/hooks/pre-receive'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    git(work, 'config', 'core.sshCommand', 'touch /tmp/pwned');
    git(work, 'config', 'uploadpack.packObjectsHook', 'false');
    await repositories.importFrom('shop', work, alone);
    const path = repositories.path('shop');
    expect(readFileSync(join(path, 'config'), 'utf8')).toBe(repositoryConfig({ maxPackBytes: 0 }));
    expect(readdirSync(path).sort()).toEqual(['HEAD', 'config', 'objects', 'refs']);
  });

  test('of a repository of another owner works', async () => {
    const work = sampleWork();
    // Git calls dubious what does not belong to whom it runs as; where the tests are not root all is one owner's.
    if (owner) giveTo(work, owner.uid + 1);
    expect(await repositories.importFrom('shop', work, alone)).toBe('main');
    expect(await repositories.hasRefs('shop')).toBe(true);
  });

  test('of an empty repository gives an empty one', async () => {
    const work = ownedFolder('work');
    git(work, 'init', '--quiet');
    expect(await repositories.importFrom('shop', work, alone)).toBeUndefined();
    expect(await repositories.hasRefs('shop')).toBe(false);
    await repositories.ensureSound('shop', 'write');
  });

  const broken: readonly (readonly [string, () => string, string])[] = [
    ['a folder that is no repository', () => ownedFolder('empty'), 'not appear to be a git repository'],
    ['a folder that is not there', () => join(ownedFolder('empty'), 'nothing'), 'no such folder'],
    ['a shallow clone', shallowClone, 'git fetch --unshallow'],
    ['a clone that borrows objects', borrowingClone, 'git clone --mirror'],
    ['a linked work tree', linkedWorkTree, 'git clone --mirror'],
    ['a repository with an object that git forbids', forbiddenObject, "contains '.git'"],
    ['a repository that lacks an object', lackingObject, 'was not imported'],
  ];
  test.each(broken)('of %s fails, says why, and leaves nothing', async (_, source, words) => {
    await expect(repositories.importFrom('shop', source(), alone)).rejects.toMatchObject({
      code: 'import-failed',
      message: expect.stringContaining(words) as unknown,
    });
    expect(lying()).toEqual([]);
  });

  test('that is given up rejects with the reason and leaves nothing', async () => {
    const reason = new Error('given up');
    await expect(repositories.importFrom('shop', sampleWork(), alone, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(lying()).toEqual([]);
  });
});

describe('a repository that goes', () => {
  test('is away at once, and its files with the sweep', async () => {
    await repositories.create('shop', alone);
    await repositories.create('blog', alone);
    repositories.retire('shop');
    expect(await repositories.exists('shop')).toBe(false);
    expect(await repositories.leftovers()).toEqual(['shop']);
    await repositories.sweep('blog', alone);
    expect(await repositories.leftovers()).toEqual(['shop']);
    await repositories.sweep('shop', alone);
    expect(lying()).toEqual(['blog.git']);
    repositories.retire('shop');
  });

  // A hook of the app has planted links to what the server owns, for the server to delete in its name.
  test('takes nothing with it that links in it point to', async () => {
    const outside = ownedFolder('outside');
    writeFileSync(join(outside, 'kept'), 'kept');
    await repositories.create('shop', alone);
    await asHook('shop', `ln -s ${outside} objects/ab; ln -s ${outside} gone; rm -rf refs; ln -s ${outside} refs`);
    repositories.retire('shop');
    await repositories.sweep('shop', alone);
    expect(readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
    expect(lying()).toEqual([]);
  });

  test('goes although a hook closed folders of it and made paths longer than a path may be', async () => {
    await repositories.create('shop', alone);
    await asHook(
      'shop',
      'mkdir -p deep; name=$(printf %0200d 0); for i in $(seq 30); do mkdir around; mv deep around/$name; ' +
        'mv around deep; done; mkdir closed closed/inside; chmod 0 closed',
    );
    repositories.retire('shop');
    await repositories.sweep('shop', alone);
    expect(lying()).toEqual([]);
  });
});
