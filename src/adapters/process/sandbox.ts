import type { Readable, Writable } from 'node:stream';
import type { DynoExit, SignalName } from '../../domain/dyno.js';
import type { DynoLimits } from '../../domain/dyno-policy.js';

/** Where a job finds its repository. Stands for it in `argv` in every sandbox. */
export const REPOSITORY = '/repository';

/** Where a job may run, and how much of this machine it sees. */
export interface Sandbox {
  readonly name: 'bubblewrap' | 'none';
  /** Starts the job. Whether it came to run is told by `started`; throws a Fault (stage `connect`) only when nothing was started. */
  spawn(job: SandboxJob): SandboxProcess;
}

/** One command on one repository. */
export interface SandboxJob {
  /** Absolute path of the bare repository on this machine. */
  readonly repository: string;
  readonly access: 'read' | 'write';
  /** The program, looked up on the fixed PATH, and its arguments. REPOSITORY and the mounts' `at` stand for the real paths. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment beside PATH, HOME and LANG. A value that is REPOSITORY or a mount's `at` stands for the real path. */
  readonly environment?: Readonly<Record<string, string>>;
  /** In place of the sandbox's own. */
  readonly limits?: DynoLimits;
  readonly network?: Network;
  readonly mounts?: readonly Mount[];
}

/** `shared`: this machine's network, with all that listens on its loopback. */
export type Network = 'none' | 'shared';

/** A file or folder of this machine, readable in the sandbox at another path. */
export interface Mount {
  readonly hostPath: string;
  readonly at: string;
}

/** A user of this machine, by number: it needs no account. */
export interface HostUser {
  readonly uid: number;
  readonly gid: number;
}

/** A job that was started. Its streams never throw: they have listeners for `error`. */
export interface SandboxProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves once the command itself runs (or has run). Rejects with a Fault (stage `connect`); nothing is left then. */
  readonly started: Promise<void>;
  /** How the command ended; rejects with a Fault (stage `run`) when that can't be known. Settles once. */
  readonly exit: Promise<DynoExit>;
  /** Sends a signal to the command itself. Does nothing once it has ended. */
  signal(name: SignalName): void;
  /** Stops every process of the job (SIGSTOP), again and again until none runs. Idempotent. */
  pause(): void;
  /** Has them all go on (SIGCONT). Idempotent. */
  resume(): void;
  /**
   * Kills everything of the job and closes its streams; after an end by itself, what the command left behind.
   * Resolves when nothing is left. Idempotent; never rejects.
   */
  kill(): Promise<void>;
}
