import type { ContainerModule } from 'inversify';
import type { LiveConnection } from '../ports/session-registry.js';
import type { Config } from './config.js';
import { createContainer, type Parts } from './container.js';
import { holdingProcess } from './hold-process.js';
import { listenProblem } from './listen-problem.js';

/** How long sessions have to end after the time to finish is over, beyond their dynos' own grace. */
const LAST_WORDS_MS = 10_000;

/** How long a platform may take to be told of the last sessions. */
const FINISH_MS = 30_000;
const HURRIED_FINISH_MS = 1_000;

/** A gitmouth inside a program: what the command line runs, and other programs may embed. */
export interface Gateway {
  /**
   * Makes everything ready and listens.
   * @throws Error whose message says what to do, when a start makes no sense; nothing is left running then.
   */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Accepts nothing new, gives running sessions their time to finish, then ends them. Resolves when all is closed. */
  drain(): Promise<void>;
  /** As `drain`, with no time to finish. */
  stop(): Promise<void>;
  /** Who is connected, and what they do. */
  connections(): readonly LiveConnection[];
}

/**
 * @param modules may rebind any of `tokens`: this is how a program brings its own adapters. Only the adapters of the
 *   configuration load after them.
 * @throws ConfigError, when such an adapter can't be loaded or is none.
 * @throws Error, when the configuration can't work on this machine (no sandbox, say).
 */
export async function createGateway(config: Config, ...modules: readonly ContainerModule[]): Promise<Gateway> {
  return new RunningGateway(config, await createContainer(config, modules));
}

class RunningGateway implements Gateway {
  readonly #config: Config;
  readonly #parts: Parts;
  #ending: Promise<void> | undefined;
  #hasEnded = new AbortController();

  constructor(config: Config, parts: Parts) {
    this.#config = config;
    this.#parts = parts;
  }

  async start(): Promise<{ host: string; port: number }> {
    const { lifecycles, server, observer, sandbox } = this.#parts;
    const { adapters, listen, platform } = this.#config;
    const { host, port } = listen;
    try {
      for (const lifecycle of lifecycles) await lifecycle.prepare();
      const address = await server.listen(host, port).catch((error: unknown) => {
        const problem = listenProblem(error, host, port);
        throw problem === undefined ? error : new Error(problem, { cause: error });
      });
      const hostKeys = this.#parts.hostKeys.map((key) => `${key.algorithm} ${key.fingerprint}`);
      observer.record({
        type: 'server-started',
        address: `${address.address}:${address.port}`,
        hostKeys,
        platform: platform.kind,
        ...(sandbox === undefined ? {} : { sandbox }),
        ...(adapters.length === 0 ? {} : { adapters }),
      });
      return { host: address.address, port: address.port };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  connections(): readonly LiveConnection[] {
    return this.#parts.registry.connections();
  }

  drain(): Promise<void> {
    this.#ending ??= holdingProcess(() => this.#end());
    return this.#ending;
  }

  async stop(): Promise<void> {
    this.#hasEnded.abort();
    await this.drain();
  }

  async #end(): Promise<void> {
    const { serveGit, server, observer, clock } = this.#parts;
    const { drainMs, terminateGraceMs } = this.#config.limits;
    const sessions = this.connections().flatMap((live) => live.sessions()).length;
    observer.record({ type: 'server-draining', sessions, drainMs });
    server.stopListening();
    serveGit.beginDrain();
    const stopWaiting = new AbortController();
    const ended = server.endConnections('this server is about to restart').finally(() => {
      stopWaiting.abort();
    });
    const wait = async (ms: number, ...signals: AbortSignal[]) =>
      clock.sleep(ms, AbortSignal.any([stopWaiting.signal, ...signals])).catch(() => undefined);
    await wait(drainMs, this.#hasEnded.signal);
    serveGit.endDrain();
    await wait(terminateGraceMs + LAST_WORDS_MS);
    server.cutConnections();
    await ended;
    await this.#settle(terminateGraceMs + LAST_WORDS_MS);
    await this.#finish();
    this.#close();
    observer.record({ type: 'server-stopped' });
  }

  /** Clients that left just before are gone from the server, while their dynos have their grace still. */
  async #settle(limitMs: number): Promise<void> {
    const isDone = new AbortController();
    const limit = this.#parts.clock.sleep(limitMs, isDone.signal).catch(() => undefined);
    await Promise.race([this.#parts.serveGit.settled(), limit]);
    isDone.abort();
    await limit;
  }

  /** Sessions are over, and what they leave to be delivered has its time; after a `stop` hardly any. */
  async #finish(): Promise<void> {
    const { lifecycles, clock } = this.#parts;
    const isDone = new AbortController();
    const isOver = new AbortController();
    const inTime = (ms: number, signal: AbortSignal) =>
      clock.sleep(ms, signal).then(
        () => isOver.abort(),
        () => undefined,
      );
    const hurry = () => void inTime(HURRIED_FINISH_MS, isDone.signal);
    this.#hasEnded.signal.addEventListener('abort', hurry);
    if (this.#hasEnded.signal.aborted) hurry();
    const limit = inTime(FINISH_MS, isDone.signal);
    const over = new Promise((resolve) => isOver.signal.addEventListener('abort', resolve));
    await Promise.race([Promise.allSettled(lifecycles.map((lifecycle) => lifecycle.finish(isOver.signal))), over]);
    this.#hasEnded.signal.removeEventListener('abort', hurry);
    isDone.abort();
    await limit;
  }

  #close(): void {
    this.#parts.server.stopListening();
    for (const lifecycle of this.#parts.lifecycles) lifecycle.close();
  }
}
