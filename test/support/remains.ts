/** What a door may not leave behind when a session is over: processes, descriptors, locks, temporary objects. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { expect } from '@jest/globals';
import { execute, until, type Door } from './door.js';
import { descendantsOf, descriptorsOf, isRoot, runningProcesses, type MachineProcess } from './machine.js';

const FIRST_USER = 200_000;
const GONE_LIMIT_MS = 20_000;
/** Timers, DNS and the like open and close one now and then. */
const DESCRIPTOR_SLACK = 2;

let count = 0;

/** A host user for one door's dynos: whatever runs as this user is that door's. */
export function dynoUserOfItsOwn(): number {
  count += 1;
  return FIRST_USER + (process.pid % 50_000) * 100 + count;
}

export class Remains {
  readonly #door: Door;
  readonly #dynoUser: number;
  readonly #seen = new Map<string, MachineProcess>();
  #descriptors = 0;

  /** @param dynoUser the door's GITMOUTH_DYNO_USER, and no other door's. */
  constructor(door: Door, dynoUser: number) {
    this.#door = door;
    this.#dynoUser = dynoUser;
  }

  /** Notes what is open now, for `settled` to hold against. */
  mark(): void {
    this.#descriptors = descriptorsOf(this.#door.pid);
  }

  /** Everything that runs of the door's dynos: also what has lost its parent, provided it was looked at before. */
  processes(): readonly MachineProcess[] {
    for (const one of descendantsOf(this.#door.pid)) this.#seen.set(`${one.pid} ${one.startTicks}`, one);
    return runningProcesses().filter(
      ({ pid, startTicks, uid }) => this.#seen.has(`${pid} ${startTicks}`) || (isRoot && uid === this.#dynoUser),
    );
  }

  async noProcess(): Promise<void> {
    const left = () => this.processes().map(({ pid, command }) => `${pid} ${command}`);
    await until(
      () => left().length === 0,
      GONE_LIMIT_MS,
      () => `still running:\n${left().join('\n')}`,
    );
  }

  /** Resolves once nothing runs, no lock is held and the server's descriptors are as they were marked. */
  async settled(): Promise<void> {
    await this.noProcess();
    await until(
      () => locksOf(this.#door).length === 0,
      GONE_LIMIT_MS,
      () => `still locked: ${locksOf(this.#door).join(', ')}`,
    );
    await until(
      () => Math.abs(descriptorsOf(this.#door.pid) - this.#descriptors) <= DESCRIPTOR_SLACK,
      GONE_LIMIT_MS,
      () => `${descriptorsOf(this.#door.pid)} descriptors are open, at the start ${this.#descriptors}`,
    );
  }
}

/** The apps whose lock is held. */
export function locksOf(door: Door): readonly string[] {
  const db = new SqliteDatabase(join(door.data, 'gitmouth.db'), { readonly: true });
  try {
    return db
      .prepare<[], { app: string }>('SELECT app FROM leases')
      .all()
      .map(({ app }) => app);
  } finally {
    db.close();
  }
}

/** What git makes on its way and removes at the end of it. */
export function temporaryObjects(repository: string): readonly string[] {
  const objects = join(repository, 'objects');
  return (readdirSync(objects, { recursive: true }) as string[]).filter((path) =>
    /(^|\/)(tmp_|\.tmp-|incoming-)|\.(lock|keep)$/.test(path),
  );
}

/** `git fsck`, as somebody who trusts the repository. */
export async function expectSound(repository: string): Promise<void> {
  expect(existsSync(join(repository, 'HEAD'))).toBe(true);
  const args = ['-c', 'safe.directory=*', '-C', repository, 'fsck', '--full', '--strict', '--no-dangling'];
  const { code, stdout, stderr } = await execute('git', args);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: expect.not.stringMatching(/error|missing/) });
}

/** What a ref names in a repository of the door; empty when there is none. */
export async function refOf(repository: string, ref: string): Promise<string> {
  const args = ['-c', 'safe.directory=*', '-C', repository, 'rev-parse', '--quiet', '--verify', ref];
  return (await execute('git', args)).stdout.trim();
}
