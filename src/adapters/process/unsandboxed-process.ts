import { rm } from 'node:fs/promises';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynoExit, SignalName } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import { isReaped, type Child } from './child.js';
import { isDead, listProcesses, signalNumber, signalProcess, type ProcessEntry } from './process-table.js';
import type { SandboxProcess } from './sandbox.js';
import { signalNamed } from './signal-names.js';
import { Standstill } from './standstill.js';

/** So many looks in a row must find nobody: a process that is born while it is looked is not seen. */
const EMPTY_LOOKS = 3;

/** A job without a sandbox. It leads a session of its own, by which what it started is found again. */
export class UnsandboxedProcess implements SandboxProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly started: Promise<void>;
  readonly exit: Promise<DynoExit>;
  readonly #child: Child;
  readonly #home: string;
  readonly #session: number | undefined;
  readonly #swept: Promise<void>;
  readonly #standstill = new Standstill(() => this.#members());
  #isSwept = false;
  #killing: Promise<void> | undefined;

  /** @param home removed with the job. */
  constructor(child: Child, home: string) {
    this.#child = child;
    this.#home = home;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
    this.#session = child.process.pid;
    this.exit = this.#end();
    this.#swept = this.#sweep();
    this.started = this.#start();
    this.exit.catch(() => undefined);
    this.started.catch(() => undefined);
  }

  signal(name: SignalName): void {
    this.#child.process.kill(`SIG${name}`);
  }

  pause(): void {
    if (this.#killing === undefined) this.#standstill.begin();
  }

  resume(): void {
    this.#standstill.end();
  }

  kill(): Promise<void> {
    this.resume();
    this.#killing ??= this.#killAll();
    return this.#killing;
  }

  async #start(): Promise<void> {
    if (this.#session !== undefined) return;
    const cause = await this.#child.ended;
    await this.kill();
    throw new Fault('GM_DYNO_START', 'connect', 'the command could not be started', { cause });
  }

  async #end(): Promise<DynoExit> {
    const error = await this.#child.ended;
    const { exitCode, signalCode } = this.#child.process;
    if (error !== undefined) throw new Fault('GM_DYNO_LOST', 'run', 'the command never ran', { cause: error });
    if (signalCode !== null) return deathBy(signalCode);
    if (exitCode !== null) return { kind: 'code', code: exitCode };
    throw new Fault('GM_DYNO_LOST', 'run', 'the command ended without telling how');
  }

  /** As in a namespace: what the command left behind goes with it, and so lets go of standard output. */
  async #sweep(): Promise<void> {
    await this.#child.ended;
    let waitMs = 1;
    for (let empty = 0; empty < EMPTY_LOOKS; waitMs = Math.min(waitMs * 2, 100)) {
      empty = this.#killMembers() ? empty + 1 : 0;
      if (empty < EMPTY_LOOKS) await sleep(waitMs);
    }
    this.#isSwept = true;
  }

  /** Whether nobody was there. Out of descriptors that can't be told. */
  #killMembers(): boolean {
    try {
      const members = this.#members();
      for (const member of members) signalProcess(member, 'KILL');
      return members.length === 0;
    } catch {
      return false;
    }
  }

  async #killAll(): Promise<void> {
    this.#killGroup();
    // First, as the sweep may be waiting for descriptors.
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.destroy();
    await this.#swept;
    await rm(this.#home, { recursive: true, force: true }).catch(() => undefined);
  }

  #killGroup(): void {
    const { pid } = this.#child.process;
    if (pid !== undefined && !isReaped(this.#child)) signalNumber(-pid, 'KILL');
  }

  /** A session's number is not given to a new process while the session has members; afterwards it may be a stranger's. */
  #members(): ProcessEntry[] {
    const leader = this.#session;
    if (leader === undefined || this.#isSwept) return [];
    return listProcesses().filter((entry) => entry.session === leader && !isDead(entry));
  }
}

function deathBy(code: NodeJS.Signals): DynoExit {
  const signal = signalNamed(code);
  return signal === undefined ? { kind: 'code', code: 128 + constants.signals[code] } : { kind: 'signal', signal };
}
