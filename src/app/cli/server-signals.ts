import type { Config } from '../config.js';
import type { Gateway } from '../gateway.js';
import type { Hangups } from './hangups.js';
import { printableLines, terminal } from './output.js';

/** After a second signal, how long the end may take before the process goes without it. */
const HURRY_MS = 1_000;

/** After a signal that comes before there is a gateway, how long the making of it may take. */
const UNMADE_MS = 5_000;

const INTERNAL_ERROR = 70;

/** What signals, and errors that nobody caught, mean for a server: from before its start until its end. */
export class ServerSignals {
  readonly #reloads: Reloads;
  readonly #ended = withResolvers();
  #gateway: Gateway | undefined;
  #isListening = false;
  #ends = 0;

  /** @param read gives the configuration, anew each time. */
  constructor(read: () => Config, hangups: Hangups) {
    this.#reloads = new Reloads(read);
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        this.#end(name);
      });
    }
    // Nothing below may throw past its session; if something does, the state is unknown: stop well, and let a
    // supervisor start anew.
    process.on('uncaughtException', (error) => {
      this.#fail(error);
    });
    hangups.listen(() => {
      // Nobody has asked for a reload.
      if (hangups.isWindowClosed()) this.#end('SIGTERM');
      else this.#reloads.ask();
    });
  }

  /** Whether the server was told to end. */
  get isEnding(): boolean {
    return this.#ends > 0;
  }

  /** Resolves when a server that was told to end has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The gateway is made: what came before is for it, and all that comes. */
  made(gateway: Gateway): void {
    this.#gateway = gateway;
    if (this.isEnding) this.#drain(gateway);
  }

  /** It listens, and can be reloaded. */
  listening(gateway: Gateway): void {
    this.#isListening = true;
    this.#reloads.begin(gateway);
  }

  #end(signal: NodeJS.Signals): void {
    this.#ends += 1;
    const status = signal === 'SIGINT' ? 130 : 143;
    const gateway = this.#gateway;
    if (this.#ends > 1) {
      if (gateway === undefined) process.exit(status);
      void gateway.stop();
      setTimeout(() => process.exit(status), HURRY_MS);
      return;
    }
    const now = this.#isListening ? 'finishing what runs' : 'ending, before it has started';
    terminal.err(`${signal}: ${now}; once more to end at once.`);
    if (gateway !== undefined) this.#drain(gateway);
    else setTimeout(() => this.#gateway ?? process.exit(status), UNMADE_MS).unref();
  }

  #fail(error: Error): void {
    terminal.err(`gitmouth: stopping after an internal error: ${error.stack ?? error.message}`);
    process.exitCode = INTERNAL_ERROR;
    if (this.#gateway === undefined) process.exit(INTERNAL_ERROR);
    this.#ends += 1;
    this.#gateway.drain().then(() => process.exit(INTERNAL_ERROR), this.#ended.reject);
  }

  #drain(gateway: Gateway): void {
    gateway.drain().then(this.#ended.resolve, this.#ended.reject);
  }
}

/** Reloads when asked to, one after the other; once more, when it was asked to meanwhile or before it could. */
class Reloads {
  readonly #read: () => Config;
  #gateway: Gateway | undefined;
  #isAsked = false;
  #isRunning = false;

  constructor(read: () => Config) {
    this.#read = read;
  }

  ask(): void {
    this.#isAsked = true;
    if (this.#gateway !== undefined && !this.#isRunning) void this.#run(this.#gateway);
  }

  begin(gateway: Gateway): void {
    this.#gateway = gateway;
    if (this.#isAsked) this.ask();
  }

  async #run(gateway: Gateway): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#reload(gateway);
    }
    this.#isRunning = false;
  }

  async #reload(gateway: Gateway): Promise<void> {
    try {
      const { changed, needRestart } = await gateway.reload(this.#read);
      terminal.err(
        `SIGHUP: reloaded; ${changed.length === 0 ? 'no setting has changed' : `changed: ${changed.join(', ')}`}.`,
      );
      if (needRestart.length > 0) terminal.err(`  Needs a restart: ${needRestart.join(', ')}.`);
    } catch (error) {
      terminal.err(
        printableLines(`SIGHUP: nothing was changed. ${error instanceof Error ? error.message : String(error)}`),
      );
    }
  }
}

function withResolvers() {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((onEnd, onError) => {
    resolve = onEnd;
    reject = onError;
  });
  return { promise, resolve, reject };
}
