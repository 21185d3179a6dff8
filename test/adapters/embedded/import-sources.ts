/** Repositories to import that have something about them. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { git, ownedFolder, sampleWork } from './house.js';

export function giveTo(folder: string, uid: number): void {
  execFileSync('chown', ['-R', `${uid}:${uid}`, folder]);
}

export function shallowClone(): string {
  const work = sampleWork();
  git(work, 'commit', '--quiet', '--allow-empty', '--message=second');
  const clone = join(ownedFolder('clone'), 'it');
  git(work, 'clone', '--quiet', '--depth=1', `file://${work}`, clone);
  return clone;
}

export function borrowingClone(): string {
  const work = sampleWork();
  const clone = join(ownedFolder('clone'), 'it');
  git(work, 'clone', '--quiet', '--shared', work, clone);
  return clone;
}

export function linkedWorkTree(): string {
  const work = sampleWork();
  const linked = join(ownedFolder('linked'), 'it');
  git(work, 'worktree', 'add', '--quiet', linked);
  return linked;
}

/** A tree with an entry named `.git`, which would let a checkout write into its own repository. */
export function forbiddenObject(): string {
  const work = sampleWork();
  const blob = git(work, 'hash-object', '-w', '--stdin').trim();
  const entry = Buffer.concat([Buffer.from('100644 .git\0'), Buffer.from(blob, 'hex')]);
  writeFileSync(join(work, 'tree'), entry);
  const tree = git(work, 'hash-object', '-w', '--literally', '-t', 'tree', 'tree').trim();
  git(work, 'update-ref', 'refs/heads/evil', git(work, 'commit-tree', tree, '-m', 'evil').trim());
  return work;
}

export function lackingObject(): string {
  const work = sampleWork();
  git(work, 'commit', '--quiet', '--allow-empty', '--message=second');
  const first = git(work, 'rev-parse', 'main~1').trim();
  rmSync(join(work, '.git/objects', first.slice(0, 2), first.slice(2)));
  return work;
}
