/**
 * Looks at a repository from outside the sandbox. A hook can plant links, pipes and folders anywhere in it, and the
 * server may be root: so nothing here follows a link, waits on a pipe, changes anything, or reads more than it needs.
 */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { isBranchName } from '../../domain/branch-name.js';
import { codeOf } from '../sqlite/error-code.js';

// In an order in which each is looked at only through those before it.
const FOLDERS = ['objects', 'objects/info', 'objects/pack', 'refs', 'refs/heads'];

/**
 * What must not be there: other places to read objects, settings or the repository itself from, and rules that change
 * what git reads or runs. gitmouth makes none of them.
 */
const FORBIDDEN = [
  'hooks',
  'commondir',
  'gitdir',
  'config.worktree',
  'worktrees',
  'modules',
  'objects/info/alternates',
  'objects/info/http-alternates',
];
const FORBIDDEN_INFO = ['info/grafts', 'info/attributes'];

/** Git opens these on its way; a pipe in such a place would hold up every session. */
const PLAIN_FILES = [
  'packed-refs',
  'shallow',
  'objects/info/packs',
  'objects/info/commit-graph',
  'objects/pack/multi-pack-index',
];

/** What is not as it must be, by path; empty when all is well. HEAD must name `branch` if that is known. */
export async function spoiledParts(repository: string, config: string, branch?: string): Promise<readonly string[]> {
  const spoiled: string[] = [];
  for (const folder of FOLDERS) {
    if (!(await isOwnFolder(join(repository, folder)))) spoiled.push(folder);
  }
  const info = await kindOf(join(repository, 'info'));
  if (info !== 'absent' && info !== 'folder') spoiled.push('info');
  for (const path of info === 'folder' ? [...FORBIDDEN, ...FORBIDDEN_INFO] : FORBIDDEN) {
    if ((await kindOf(join(repository, path))) !== 'absent') spoiled.push(path);
  }
  for (const path of PLAIN_FILES) {
    if (!['absent', 'file'].includes(await kindOf(join(repository, path)))) spoiled.push(path);
  }
  if ((await textOf(join(repository, 'config'), Buffer.byteLength(config))) !== config) spoiled.push('config');
  const head = await headBranchOf(repository);
  if (head === undefined || head !== (branch ?? head)) spoiled.push('HEAD');
  return spoiled;
}

/** The branch that HEAD names, whether it exists or not; undefined when HEAD is anything but that. */
export async function headBranchOf(repository: string): Promise<string | undefined> {
  const text = await textOf(join(repository, 'HEAD'), 1024);
  const branch = /^ref: refs\/heads\/([^\n]+)\n$/.exec(text ?? '')?.[1];
  return branch !== undefined && isBranchName(branch) ? branch : undefined;
}

export async function isAbsent(path: string): Promise<boolean> {
  return (await kindOf(path)) === 'absent';
}

async function kindOf(path: string): Promise<'absent' | 'file' | 'folder' | 'other'> {
  try {
    const found = await lstat(path);
    if (found.isDirectory()) return 'folder';
    return found.isFile() ? 'file' : 'other';
  } catch (error) {
    // What can't be looked at is not absent: a folder in between that is closed, or no folder at all.
    return codeOf(error) === 'ENOENT' ? 'absent' : 'other';
  }
}

/** A real folder, open to its owner. */
async function isOwnFolder(path: string): Promise<boolean> {
  try {
    const found = await lstat(path);
    return found.isDirectory() && (found.mode & 0o700) === 0o700;
  } catch {
    return false;
  }
}

/** The text of a plain file of at most that many bytes. */
async function textOf(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile() || found.size > maxBytes) return undefined;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
