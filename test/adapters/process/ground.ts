/** What the tests of dynos stand on: sandboxes as this machine's user must make them, and repositories for them. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BubblewrapSandbox, type BubblewrapOptions } from '../../../src/adapters/process/bubblewrap.js';
import { runInSandbox, type JobResult } from '../../../src/adapters/process/run.js';
import type { HostUser, Sandbox, SandboxJob } from '../../../src/adapters/process/sandbox.js';
import { UnsandboxedSandbox } from '../../../src/adapters/process/unsandboxed.js';
import { DEFAULT_DYNO_LIMITS, type DynoLimits } from '../../../src/domain/dyno-policy.js';
import { temporaryFolder } from '../../support/temporary.js';

export const isRoot = process.getuid?.() === 0;
export const RUN_AS: HostUser = { uid: 60900, gid: 60900 };
export const runAs = isRoot ? { runAs: RUN_AS } : {};

/** How this run starts dynos, for the names of tests. */
export const SERVER = isRoot ? 'a root server' : "a user's server";

export function bubblewrap(options: Partial<BubblewrapOptions> = {}): Sandbox {
  return new BubblewrapSandbox({ limits: DEFAULT_DYNO_LIMITS, network: 'none', ...runAs, ...options });
}

export function unsandboxed(limits: Partial<DynoLimits> = {}): Sandbox {
  return new UnsandboxedSandbox({ limits: { ...DEFAULT_DYNO_LIMITS, ...limits }, ...runAs });
}

/** A bare repository that belongs to the dyno's user. */
export function bareRepository(folder = join(temporaryFolder('data'), 'app.git')): string {
  mkdirSync(folder, { recursive: true });
  const made = spawnSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', folder], {
    env: { PATH: process.env['PATH'] ?? '', GIT_CONFIG_NOSYSTEM: '1' },
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(made.stderr);
  giveToDynos(folder);
  return folder;
}

/** Hands a file, or a folder with all in it, to the user that dynos run as. */
export function giveToDynos(path: string): void {
  if (!isRoot) return;
  chownSync(path, RUN_AS.uid, RUN_AS.gid);
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) giveToDynos(join(path, name));
}

/** A folder with these scripts in it, readable by every user. */
export function scriptFolder(scripts: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder('scripts');
  chmodSync(folder, 0o755);
  for (const [name, body] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

/** Runs a shell script as a job, to its end, and collects what it says. */
export async function sh(
  sandbox: Sandbox,
  repository: string,
  script: string,
  job: Partial<SandboxJob> = {},
): Promise<JobResult> {
  const changed: Sandbox = { name: sandbox.name, spawn: (given) => sandbox.spawn({ ...given, ...job }) };
  return runInSandbox(changed)({ repository, access: job.access ?? 'write', argv: ['sh', '-c', script] });
}
