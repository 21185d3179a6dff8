/** An embedded platform in a folder of its own, in the states that tests begin with. */
import { execFileSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { AppKeeper } from '../../../src/adapters/embedded/app-keeper.js';
import { openDatabase, type Database } from '../../../src/adapters/sqlite/database.js';
import { SqliteLocks } from '../../../src/adapters/sqlite/sqlite-locks.js';
import { Fences, type Held } from '../../../src/adapters/embedded/fences.js';
import { EmbeddedPlatform } from '../../../src/adapters/embedded/platform.js';
import { Repositories } from '../../../src/adapters/embedded/repositories.js';
import type { RunInRepository } from '../../../src/adapters/embedded/repository-run.js';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import { temporaryFolder } from '../../support/temporary.js';
import { unsandboxed } from './run-unsandboxed.js';

export interface House {
  readonly folder: string;
  readonly file: string;
  readonly db: Database;
  readonly clock: MemoryClock;
  readonly platform: EmbeddedPlatform;
  readonly locks: SqliteLocks;
  readonly repositories: Repositories;
  readonly fences: Fences;
  readonly keeper: AppKeeper;
  close(): void;
}

/** Whom repositories belong to, and jobs run as: where the tests are root, as a server that is root has it. */
const isRoot = process.getuid?.() === 0;
const DYNO_USER = { uid: 60900, gid: 60900 };
export const owner = isRoot ? DYNO_USER : undefined;

export function openHouse(run: RunInRepository = unsandboxed(owner), folder = temporaryFolder('house')): House {
  const file = join(folder, 'gitmouth.db');
  const db = openDatabase(file);
  const clock = new MemoryClock();
  const platform = new EmbeddedPlatform(db, clock);
  const locks = new SqliteLocks(db, clock, 30_000);
  const repositories = new Repositories({
    folder: join(folder, 'repositories'),
    settings: { maxPackBytes: 0 },
    run,
    ...(owner === undefined ? {} : { owner }),
  });
  const fences = new Fences(join(folder, 'fences'), db);
  const keeper = new AppKeeper(platform.apps, repositories, fences, locks);
  return { folder, file, db, clock, platform, locks, repositories, fences, keeper, close: () => db.close() };
}

/** For one whom nobody else is in the way of. */
export const alone: Held = (work) => work();

/** Gives the user one more key; the first makes the user. */
export function register({ platform }: House, user: string, key: PublicKey): void {
  if (!platform.users.has(user)) platform.users.add(user);
  platform.keys.add(user, key, `${user}@example`);
}

/** An app that stays, without a repository. */
export function settledApp({ platform }: House, name: string, owner: string): void {
  platform.apps.create(name, owner);
  platform.apps.settle(name);
}

/** Git as the owner of the repositories would use it at home, deaf to the settings of this machine. */
export function git(folder: string, ...command: readonly string[]): string {
  return execFileSync('git', ['-C', folder, ...command], {
    ...owner,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      LANG: 'C.UTF-8',
      GIT_CONFIG_NOSYSTEM: '1',
      ...who('AUTHOR'),
      ...who('COMMITTER'),
    },
  });
}

/** A folder that belongs to the owner of the repositories. */
export function ownedFolder(label: string): string {
  const folder = temporaryFolder(label);
  if (owner) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

/** At one time always, so that the same work has the same objects: tests put others beside them. */
function who(role: string): Record<string, string> {
  return {
    [`GIT_${role}_NAME`]: 'A U Thor',
    [`GIT_${role}_EMAIL`]: 'author@example.com',
    [`GIT_${role}_DATE`]: '2026-01-01T00:00:00Z',
  };
}

/** A work tree with one commit on `branch`. */
export function sampleWork(branch = 'main'): string {
  const folder = ownedFolder('work');
  git(folder, 'init', '--quiet', `--initial-branch=${branch}`);
  git(folder, 'commit', '--quiet', '--allow-empty', '--message=first');
  return folder;
}
