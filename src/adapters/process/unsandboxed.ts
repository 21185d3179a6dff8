import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DynoLimits } from '../../domain/dyno-policy.js';
import { Fault } from '../../domain/fault.js';
import { startChild } from './child.js';
import { inheritedDescriptors } from './inherited-descriptors.js';
import { underLimits } from './limits.js';
import { checkRunAs } from './run-as.js';
import { findProgram, findPrograms, PROGRAM_PATH, type Programs } from './programs.js';
import {
  REPOSITORY,
  type HostUser,
  type Mount,
  type Sandbox,
  type SandboxJob,
  type SandboxProcess,
} from './sandbox.js';
import { UnsandboxedProcess } from './unsandboxed-process.js';

export interface UnsandboxedOptions {
  readonly limits: DynoLimits;
  /** Whom jobs run as. Needed for a server that runs as root. */
  readonly runAs?: HostUser;
  readonly programs?: Programs;
}

/** Jobs as plain processes: a user of their own for a root server, a clean environment, limits, and no wall around them. */
export class UnsandboxedSandbox implements Sandbox {
  readonly name = 'none';
  readonly #options: UnsandboxedOptions;
  readonly #prlimit: string | undefined;
  readonly #withhold: readonly number[];

  constructor(options: UnsandboxedOptions) {
    checkRunAs(options.runAs);
    this.#options = options;
    this.#prlimit = (options.programs ?? findPrograms()).prlimit;
    this.#withhold = inheritedDescriptors();
  }

  spawn(job: SandboxJob): SandboxProcess {
    const onHost = hostPaths(job);
    const [file, ...args] = this.#limited(job.limits ?? this.#options.limits, job.argv.map(onHost));
    if (file === undefined) throw new Fault('GM_DYNO_START', 'connect', `${job.argv[0]} is not installed`);
    const environment = Object.fromEntries(
      Object.entries(job.environment ?? {}).map(([name, value]): [string, string] => [name, onHost(value)]),
    );
    const home = this.#makeHome();
    try {
      const child = startChild(file, args, {
        ...this.#options.runAs,
        cwd: job.repository,
        environment: { ...environment, ...fixedEnvironment(home) },
        extraPipes: 0,
        withhold: this.#withhold,
      });
      return new UnsandboxedProcess(child, home);
    } catch (error) {
      rmSync(home, { recursive: true });
      throw error;
    }
  }

  #limited(limits: DynoLimits, [name = '', ...args]: readonly string[]): string[] {
    const program = name.startsWith('/') ? name : findProgram(name);
    if (program === undefined) return [];
    const command = [program, ...args];
    return this.#prlimit === undefined ? command : underLimits(this.#prlimit, limits, { processes: false }, command);
  }

  #makeHome(): string {
    const home = mkdtempSync(join(tmpdir(), 'gitmouth-home-'));
    const { runAs } = this.#options;
    if (runAs !== undefined) chownSync(home, runAs.uid, runAs.gid);
    return home;
  }
}

function fixedEnvironment(home: string): Record<string, string> {
  return {
    PATH: PROGRAM_PATH,
    HOME: home,
    LANG: 'C.UTF-8',
    // What an administrator set in /etc/gitconfig is for people at this machine.
    GIT_CONFIG_NOSYSTEM: '1',
  };
}

/** Puts the real path in place of the one a job knows: for a whole path, a path below it, and after a `=`. */
function hostPaths(job: SandboxJob): (text: string) => string {
  const mounts: readonly Mount[] = [...(job.mounts ?? []), { hostPath: job.repository, at: REPOSITORY }];
  return (text) => {
    const [, before = '', path = ''] = /^([^/]*=)?(\/.*)$/s.exec(text) ?? [];
    const mount = mounts.find(({ at }) => path === at || path.startsWith(`${at}/`));
    return mount === undefined ? text : `${before}${mount.hostPath}${path.slice(mount.at.length)}`;
  };
}
