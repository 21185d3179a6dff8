import type { Readable } from 'node:stream';
import type { DynoExit, SignalName } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import type { DynoSession } from '../../ports/transport.js';
import type { DynoChannel } from './channel.js';
import type { DynoConnection } from './connection.js';
import type { DynoInput } from './input.js';

/**
 * From KILL to the dyno's word of it, which comes behind all output that is under way. One whose SSH server passes no
 * signals on never says it.
 */
const KILL_MS = 2_500;

/** A command in a dyno that is reached over SSH. */
export class SshDynoSession implements DynoSession {
  readonly stdin: DynoInput;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<DynoExit>;
  readonly #connection: DynoConnection;
  readonly #channel: DynoChannel;
  readonly #graceMs: number;
  #hurry: () => void = () => undefined;
  /** The grace is over sooner than it was to be. */
  readonly #hurried = new Promise<void>((resolve) => (this.#hurry = resolve));
  #closing: Promise<void> | undefined;

  constructor(connection: DynoConnection, channel: DynoChannel, stdin: DynoInput, graceMs: number) {
    this.#connection = connection;
    this.#channel = channel;
    this.#graceMs = graceMs;
    this.stdin = stdin;
    this.stdout = channel.stdout;
    this.stderr = channel.stderr;
    this.exit = channel.ending.exit;
    // A dyno that is gone may make it fail; how it ended is told by the exit.
    stdin.on('error', () => undefined);
    const lose = () => {
      channel.lose(lostBecause(connection.over.reason));
    };
    if (connection.over.aborted) lose();
    else connection.over.addEventListener('abort', lose, { once: true });
  }

  signal(name: SignalName): void {
    this.#channel.signal(name);
  }

  /** Not in the protocol: its window alone holds the dyno back. */
  pause(): void {
    return;
  }

  resume(): void {
    return;
  }

  close(graceMs = this.#graceMs): Promise<void> {
    this.#closing ??= this.#close();
    if (graceMs < this.#graceMs) void settledWithin(this.#channel.ending.told, graceMs).then(this.#hurry);
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { ending } = this.#channel;
    if (!ending.isTold) {
      this.#channel.discard();
      this.#channel.signal('TERM');
      await settledWithin(Promise.race([ending.told, this.#hurried]), this.#graceMs);
    }
    if (!ending.isTold) {
      this.#channel.signal('KILL');
      await settledWithin(ending.told, KILL_MS);
    }
    ending.settle();
    this.#channel.close();
    if (!ending.isTold) this.#channel.lose(untold());
    await this.#connection.end();
  }
}

function untold(): Fault {
  return new Fault('GM_DYNO_LOST', 'run', `${KILL_MS} ms after KILL the dyno has not told how the command ended`);
}

function lostBecause(reason: unknown): Fault {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new Fault('GM_DYNO_LOST', 'run', `the way to the dyno was lost: ${why}`, { cause: reason });
}

async function settledWithin(promise: Promise<void>, limitMs: number): Promise<void> {
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    limit = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise, late]);
  clearTimeout(limit);
}
