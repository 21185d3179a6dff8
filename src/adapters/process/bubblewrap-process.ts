import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynoExit, SignalName } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import { isReaped, type Child } from './child.js';
import {
  childrenOf,
  isRunning,
  isTaken,
  pidInNamespace,
  pidNamespaceOf,
  processesIn,
  readProcess,
  signalNumber,
  signalProcess,
  type ProcessEntry,
} from './process-table.js';
import type { SandboxProcess } from './sandbox.js';
import { Standstill } from './standstill.js';
import { StatusReport, type NamespaceInit } from './status-report.js';
import { textOf } from './text-of.js';

const START_LIMIT_MS = 15_000;
/** How long bubblewrap may take to tell of its namespace, and of its end, before it is killed itself. */
const REPORT_LIMIT_MS = 10_000;
/** bubblewrap is process 1 of the namespace, the command 2. */
const COMMAND_PID = 2;

/** A job in a bubblewrap sandbox. */
export class BubblewrapProcess implements SandboxProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly started: Promise<void>;
  readonly exit: Promise<DynoExit>;
  readonly #child: Child;
  readonly #report: StatusReport;
  readonly #sent = new Set<SignalName>();
  readonly #standstill = new Standstill(() => this.#members());
  #told: NamespaceInit | undefined;
  #init: ProcessEntry | undefined;
  #command: ProcessEntry | undefined;
  #hasEnded = false;
  #killing: Promise<void> | undefined;

  constructor(child: Child, status: Readable) {
    this.#child = child;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
    this.#report = new StatusReport(status);
    void child.ended.then((error) => error && status.destroy());
    void this.#report.init.then((told) => (this.#told = told));
    this.exit = this.#end();
    this.started = this.#start();
    this.exit.catch(() => undefined);
    this.started.catch(() => undefined);
  }

  signal(name: SignalName): void {
    if (this.#hasEnded || this.#command === undefined) return;
    this.#sent.add(name);
    const command = this.#command;
    this.#send(name, command.pid, () => command);
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

  /**
   * Every process of the namespace but its first, which is bubblewrap and runs for nobody's sake. Jobs can't make a
   * namespace below theirs (`--disable-userns`), in which they would not be found.
   */
  #members(): readonly ProcessEntry[] {
    const init = this.#runningInit();
    if (init === undefined) return [];
    const pidNamespace = pidNamespaceOf(init.pid);
    if (pidNamespace === undefined) return [];
    return processesIn(pidNamespace).filter(({ pid }) => pid !== init.pid);
  }

  async #start(): Promise<void> {
    let isLate = false;
    const limit = setTimeout(() => {
      isLate = true;
      void this.kill();
    }, START_LIMIT_MS);
    try {
      if (await this.#comesToRun()) return;
    } finally {
      clearTimeout(limit);
    }
    const said = isLate ? `not ready within ${START_LIMIT_MS} ms` : await this.#lastWords();
    await this.kill();
    throw new Fault('GM_DYNO_START', 'connect', `the sandbox could not be started: ${said}`);
  }

  /**
   * bubblewrap tells the namespace's number before it has mounted anything; that it came through shows in the
   * namespace's second process, or in an exit status of a command that was quicker than we are.
   */
  async #comesToRun(): Promise<boolean> {
    if ((await this.#report.init) === undefined) return false;
    while (!this.#hasEnded && this.#mayComeToRun()) {
      if (this.#command !== undefined) return true;
      await sleep(1);
    }
    return (await this.#report.exitCode) !== undefined;
  }

  /** Looks for the command. Out of descriptors it may be there, and is looked for again. */
  #mayComeToRun(): boolean {
    try {
      const init = this.#runningInit();
      this.#command = init && childrenOf(init.pid).find(({ pid }) => pidInNamespace(pid) === COMMAND_PID);
      return init !== undefined;
    } catch {
      return true;
    }
  }

  /** @throws Error when it can't be looked up: the descriptors have run out. */
  #runningInit(): ProcessEntry | undefined {
    this.#init ??= this.#told && entryOf(this.#told, this.#child.process.pid);
    return this.#init !== undefined && isRunning(this.#init) ? this.#init : undefined;
  }

  async #lastWords(): Promise<string> {
    const error = await this.#child.ended;
    return error?.message ?? (await textOf(this.stderr, 4096)).trim();
  }

  async #end(): Promise<DynoExit> {
    const code = await this.#report.exitCode;
    this.#hasEnded = true;
    if (code !== undefined) return exitOf(code, this.#sent);
    if (this.#sent.has('KILL')) return { kind: 'signal', signal: 'KILL' };
    throw new Fault('GM_DYNO_LOST', 'run', 'the sandbox ended without telling how its command did');
  }

  async #killAll(): Promise<void> {
    if (!this.#hasEnded) this.#sent.add('KILL');
    const limit = setTimeout(() => this.#child.process.kill('SIGKILL'), REPORT_LIMIT_MS);
    // Never bubblewrap before its namespace: one that it has made but does not hold yet would stay for ever.
    await this.#report.init;
    this.#killInit();
    await Promise.all([this.#child.ended, this.#report.closed]);
    clearTimeout(limit);
    await this.#namespaceIsGone();
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.destroy();
  }

  /** The kernel lets the first process of a namespace go only when all others are gone (pid_namespaces(7)). */
  async #namespaceIsGone(): Promise<void> {
    for (let waitMs = 1; !this.#isGone(); waitMs = Math.min(waitMs * 2, 100)) {
      this.#killInit();
      await sleep(waitMs);
    }
  }

  #isGone(): boolean {
    try {
      return this.#runningInit() === undefined;
    } catch {
      return this.#told === undefined || !isTaken(this.#told.pid);
    }
  }

  #killInit(): void {
    if (this.#told !== undefined) this.#send('KILL', this.#told.pid, () => this.#runningInit());
  }

  /** Out of descriptors nobody can be looked up; but until bubblewrap is reaped, the number is of its namespace still. */
  #send(name: SignalName, pid: number, lookUp: () => ProcessEntry | undefined): void {
    try {
      const entry = lookUp();
      if (entry !== undefined) signalProcess(entry, name);
    } catch {
      if (!isReaped(this.#child)) signalNumber(pid, name);
    }
  }
}

/** Undefined when the process is gone, and its number perhaps given to another. */
function entryOf(init: NamespaceInit, bubblewrap: number | undefined): ProcessEntry | undefined {
  const entry = readProcess(init.pid);
  const isOurs = entry?.parent === bubblewrap || pidNamespaceOf(init.pid) === init.pidNamespace;
  return isOurs ? entry : undefined;
}

/**
 * bubblewrap reports death by signal n as 128 + n, and any program may exit with such a status by itself: of a command
 * that is not known, only what we sent is believed to be a signal. Git's own are judged by `exitOfGit`.
 */
function exitOf(code: number, sent: ReadonlySet<SignalName>): DynoExit {
  const signal = [...sent].find((name) => constants.signals[`SIG${name}`] === code - 128);
  return signal === undefined ? { kind: 'code', code } : { kind: 'signal', signal };
}
