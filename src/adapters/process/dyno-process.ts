import type { Readable, Writable } from 'node:stream';
import type { DynoExit, SignalName } from '../../domain/dyno.js';
import type { DynoSession } from '../../ports/transport.js';
import { exitOfGit } from './git-command.js';
import type { SandboxProcess } from './sandbox.js';

/** Git running in a sandbox, as a session: adds the grace between being asked to stop and being killed. */
export class DynoProcess implements DynoSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<DynoExit>;
  readonly #process: SandboxProcess;
  readonly #graceMs: number;
  #closing: Promise<void> | undefined;

  constructor(process: SandboxProcess, graceMs: number) {
    this.#process = process;
    this.#graceMs = graceMs;
    this.stdin = process.stdin;
    this.stdout = process.stdout;
    this.stderr = process.stderr;
    this.exit = process.exit.then(exitOfGit);
    this.exit.catch(() => undefined);
  }

  /** A process that is stopped handles no signal before it goes on. */
  signal(name: SignalName): void {
    this.#process.signal(name);
    this.#process.resume();
  }

  pause(): void {
    if (this.#closing === undefined) this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  close(graceMs = this.#graceMs): Promise<void> {
    this.#closing ??= this.#end();
    if (graceMs < this.#graceMs) void this.#killAfter(graceMs);
    return this.#closing;
  }

  async #end(): Promise<void> {
    // Git removes its temporary packs and the quarantine when it gets TERM; a kill leaves them behind.
    this.signal('TERM');
    await this.#killAfter(this.#graceMs);
  }

  async #killAfter(graceMs: number): Promise<void> {
    await settledWithin(this.exit, graceMs);
    await this.#process.kill();
  }
}

async function settledWithin(promise: Promise<unknown>, limitMs: number): Promise<void> {
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    limit = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise.then(ignored, ignored), late]);
  clearTimeout(limit);
}

function ignored(): void {
  // How it ended is told elsewhere.
}
