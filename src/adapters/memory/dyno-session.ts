import type { Readable, Writable } from 'node:stream';
import type { DynoExit, SignalName } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import type { Clock } from '../../ports/clock.js';
import type { DynoSession } from '../../ports/transport.js';
import { pipe } from './pipe.js';

/** What a command in this process sees of its dyno. */
export interface MemoryProcess {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Aborts when the command has ended, by itself or not: whatever it still does is in vain. */
  readonly ended: AbortSignal;
  /** Handles signals, all but KILL; without a handler they end the command. */
  trap(handler: (name: SignalName) => void): void;
  /** Ends the command as if by this signal. */
  die(name: SignalName): void;
}

/** A command: resolves with its exit status. */
export type MemoryCommand = (process: MemoryProcess) => Promise<number>;

export class MemoryDynoSession implements DynoSession {
  readonly #in = pipe();
  readonly #out = pipe();
  readonly #err = pipe();
  readonly stdin = this.#in.writable;
  readonly stdout = this.#out.readable;
  readonly stderr = this.#err.readable;

  readonly #ended = new AbortController();
  #tell: (exit: DynoExit) => void = () => undefined;
  #fail: (fault: Fault) => void = () => undefined;
  readonly exit = new Promise<DynoExit>((resolve, reject) => {
    this.#tell = resolve;
    this.#fail = reject;
  });
  #handler: ((name: SignalName) => void) | undefined;
  #closed: Promise<void> | undefined;
  #isPaused = false;

  constructor(
    command: MemoryCommand,
    private readonly clock: Clock,
    private readonly graceMs: number,
  ) {
    // A command that writes on after its end, and a loss that nobody waits for, are nobody's failure.
    for (const { writable } of [this.#out, this.#err]) writable.on('error', () => undefined);
    this.exit.catch(() => undefined);
    void this.#run(command);
  }

  get isOver(): boolean {
    return this.#ended.signal.aborted;
  }

  /** A function can't be stopped: until it is resumed, nothing that it writes comes out and nothing gets in. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    if (this.isOver || this.#closed !== undefined) return;
    this.#isPaused = true;
    for (const one of [this.#in, this.#out, this.#err]) one.hold();
  }

  resume(): void {
    this.#isPaused = false;
    for (const one of [this.#in, this.#out, this.#err]) one.letGo();
  }

  signal(name: SignalName): void {
    if (this.isOver) return;
    this.resume();
    if (this.#handler !== undefined && name !== 'KILL') this.#handler(name);
    else this.#die(name);
  }

  close(graceMs = this.graceMs): Promise<void> {
    this.#closed ??= this.#stop();
    if (graceMs < this.graceMs) void this.#killAfter(graceMs);
    return this.#closed;
  }

  /** Has the way into the dyno lost: nobody will know how its command ended. */
  lose(): void {
    this.#fail(new Fault('GM_DYNO_LOST', 'run', 'the dyno was lost'));
    this.#cut();
  }

  async #run(command: MemoryCommand): Promise<void> {
    try {
      const code = await command({
        stdin: this.#in.readable,
        stdout: this.#out.writable,
        stderr: this.#err.writable,
        ended: this.#ended.signal,
        trap: (handler) => (this.#handler = handler),
        die: (name) => this.#die(name),
      });
      this.#tell({ kind: 'code', code });
    } catch (error) {
      if (!this.isOver) this.#err.writable.write(String(error));
      this.#tell({ kind: 'code', code: 1 });
    }
    this.resume();
    // What was written and not taken yet can still be read.
    this.#out.writable.end();
    this.#err.writable.end();
    this.#over();
  }

  #die(signal: SignalName): void {
    this.#tell({ kind: 'signal', signal });
    this.#cut();
  }

  #cut(): void {
    this.resume();
    this.#out.writable.destroy();
    this.#err.writable.destroy();
    this.#over();
  }

  #over(): void {
    this.#in.readable.destroy();
    this.#ended.abort();
  }

  async #stop(): Promise<void> {
    this.signal('TERM');
    await this.#killAfter(this.graceMs);
  }

  async #killAfter(graceMs: number): Promise<void> {
    if (!this.isOver) await this.clock.sleep(graceMs, this.#ended.signal).catch(() => undefined);
    this.signal('KILL');
  }
}
