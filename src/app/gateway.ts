import type { ContainerModule } from 'inversify';
import { HealthServer } from '../adapters/system/health-server.js';
import type { LiveConnection } from '../ports/live-connections.js';
import { ConfigError, type Config } from './config.js';
import { createContainer, type Parts } from './container.js';
import { holdingProcess } from './hold-process.js';
import { addressText, isIpv6Only, type ListenAddress } from './listen-addresses.js';
import { listenProblem } from './listen-problem.js';
import { hostKeyText, shownHostKey, type ShownHostKey } from './platforms/host-keys.js';
import { reasonOf } from './reason.js';
import { differences, type Reload } from './reload.js';

/** How long sessions have to end after the time to finish is over, beyond their dynos' own grace. */
const LAST_WORDS_MS = 10_000;

/** How long operators' lists may take to be told that nothing is served here any more. */
const REPORTS_MS = 3_000;

/** How long a platform may take to be told of the last sessions. */
const FINISH_MS = 30_000;
const HURRIED_FINISH_MS = 1_000;

/** How long a step of a start may go on that was given up. */
const GIVING_UP_MS = 5_000;

/** Where it listens, each with the port it was given where it asked for any. */
export interface Listening extends ListenAddress {
  readonly all: readonly ListenAddress[];
}

/** A gitmouth inside a program: what the command line runs, and other programs may embed. */
export interface Gateway {
  /**
   * Makes everything ready and listens, on all addresses or on none.
   * @returns the first address, and all of them.
   * @throws Error whose message says what to do, when a start makes no sense, and one that says so where it was drained or
   *   stopped before it listened; nothing is left running then.
   */
  start(): Promise<Listening>;
  /**
   * Begins with another configuration as far as that is possible while it runs (README, "Reloading"), in one go: what runs
   * keeps what it began with. Without success nothing has changed, and why is in the log too.
   *
   * @param read gives it, as `readConfig` does. Called when the reload before this one is through.
   * @throws what `read` throws, or an Error that says why it can't be.
   */
  reload(read: () => Config): Promise<Reload>;
  /**
   * Accepts nothing new (after `GITMOUTH_DRAIN_DELAY_SECONDS`), gives running sessions their time to finish, then ends them.
   * A start that is under way is given up. Resolves when all is closed.
   */
  drain(): Promise<void>;
  /** As `drain`, with no time to finish. */
  stop(): Promise<void>;
  /** Who is connected, and what they do. */
  connections(): readonly LiveConnection[];
  /** What new connections are served by, and told of. */
  hostKeys(): readonly ShownHostKey[];
}

/**
 * @param modules may rebind any of `tokens`: this is how a program brings its own adapters. Only the adapters of the
 *   configuration load after them.
 * @throws ConfigError, when such an adapter can't be loaded or is none.
 * @throws Error, when the configuration can't work on this machine (no sandbox, say).
 */
export async function createGateway(config: Config, ...modules: readonly ContainerModule[]): Promise<Gateway> {
  return new RunningGateway(await createContainer(config, modules));
}

class RunningGateway implements Gateway {
  readonly #parts: Parts;
  readonly #health: HealthServer;
  readonly #givenUp = new AbortController();
  #starting: Promise<unknown> = Promise.resolve();
  #isListening = false;
  #isClosed = false;
  #reloading: Promise<unknown> = Promise.resolve();
  #ending: Promise<void> | undefined;
  #hasEnded = new AbortController();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#health = new HealthServer(() => this.#unreadiness());
  }

  start(): Promise<Listening> {
    const start = this.#start(this.#givenUp.signal);
    this.#starting = start.catch(() => undefined);
    return start;
  }

  async #start(givenUp: AbortSignal): Promise<Listening> {
    const { lifecycles, reports, observer, sandbox } = this.#parts;
    const { adapters, platform, healthListen } = this.#parts.config();
    try {
      givenUp.throwIfAborted();
      const health =
        healthListen &&
        (await inWords(healthListen, 'GITMOUTH_HEALTH_LISTEN', (host, port) => this.#health.listen(host, port)));
      for (const lifecycle of lifecycles) {
        givenUp.throwIfAborted();
        await lifecycle.prepare(givenUp);
      }
      givenUp.throwIfAborted();
      const [first, ...others] = await this.#listen();
      givenUp.throwIfAborted();
      this.#isListening = true;
      const hostKeys = this.#parts.hostKeys().map(hostKeyText);
      observer.record({
        type: 'server-started',
        address: addressText(first),
        ...(others.length === 0 ? {} : { alsoOn: others.map(addressText) }),
        ...(health === undefined ? {} : { health: addressText({ host: health.address, port: health.port }) }),
        hostKeys,
        platform: platform.kind,
        ...(sandbox === undefined ? {} : { sandbox }),
        ...(adapters.length === 0 ? {} : { adapters }),
      });
      reports.start();
      return { ...first, all: [first, ...others] };
    } catch (error) {
      this.#close();
      // Of an address that was listened on already.
      this.#parts.server.cutConnections();
      this.#health.close();
      throw error;
    }
  }

  /** @throws Error in words, for the first that can't be had. */
  async #listen(): Promise<[ListenAddress, ...ListenAddress[]]> {
    const { listen } = this.#parts.config();
    const listening: ListenAddress[] = [];
    for (const wanted of listen) {
      const isAlone = isIpv6Only(wanted, listen);
      const { address, port } = await inWords(wanted, undefined, (host, number) =>
        this.#parts.server.listen(host, number, isAlone),
      );
      listening.push({ host: address, port });
    }
    const [first, ...others] = listening;
    if (first === undefined) throw new Error('there is no address to listen on');
    return [first, ...others];
  }

  connections(): readonly LiveConnection[] {
    return this.#parts.connections.list();
  }

  hostKeys(): readonly ShownHostKey[] {
    return this.#parts.hostKeys().map(shownHostKey);
  }

  reload(read: () => Config): Promise<Reload> {
    const reload = this.#reloading.then(() => this.#reload(read));
    this.#reloading = reload.catch(() => undefined);
    return reload;
  }

  async #reload(read: () => Config): Promise<Reload> {
    const { observer } = this.#parts;
    try {
      if (this.#ending !== undefined) throw new Error('this server is about to stop');
      const wanted = read();
      const reload = differences(this.#parts.config(), wanted);
      const before = this.#parts.hostKeys().map(hostKeyText);
      await this.#parts.reload(wanted);
      observer.record({ type: 'config-reloaded', ...reload });
      const hostKeys = this.#parts.hostKeys().map(hostKeyText);
      if (hostKeys.join() !== before.join()) observer.record({ type: 'host-keys-changed', hostKeys });
      return reload;
    } catch (error) {
      const why = error instanceof ConfigError ? error.problems.join('; ') : reasonOf(error);
      observer.record({
        type: 'problem',
        message: `the configuration was not reloaded, and nothing has changed: ${why}`,
      });
      throw error;
    }
  }

  #unreadiness(): string | undefined {
    if (this.#ending !== undefined) return 'draining: this server is about to stop';
    return this.#isListening ? this.#parts.unreadiness() : 'starting: not listening yet';
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
    this.#givenUp.abort(new Error('this server was stopped before it had started'));
    await this.#waitFor(this.#starting, GIVING_UP_MS);
    if (this.#isListening) await this.#endServing();
    this.#close();
    this.#parts.observer.record({ type: 'server-stopped' });
    this.#health.close();
  }

  async #endServing(): Promise<void> {
    const { serveGit, server, observer, clock } = this.#parts;
    const { drainDelayMs: delayMs, limits } = this.#parts.config();
    const { drainMs, terminateGraceMs } = limits;
    const sessions = this.connections().flatMap((live) => live.sessions()).length;
    observer.record({ type: 'server-draining', sessions, drainMs, delayMs });
    // Balancers see by now that nobody should be sent here, and those they sent before are served.
    if (delayMs > 0) await clock.sleep(delayMs, this.#hasEnded.signal).catch(() => undefined);
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
    // Clients that left just before are gone from the server, while their dynos have their grace still.
    await this.#waitFor(serveGit.settled(), terminateGraceMs + LAST_WORDS_MS);
    await this.#waitFor(this.#parts.reports.stop(), REPORTS_MS);
    await this.#finish();
  }

  async #waitFor(end: Promise<unknown>, limitMs: number): Promise<void> {
    const isDone = new AbortController();
    const limit = this.#parts.clock.sleep(limitMs, isDone.signal).catch(() => undefined);
    await Promise.race([end, limit]);
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
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parts.server.stopListening();
    for (const lifecycle of this.#parts.lifecycles) lifecycle.close();
  }
}

/** @throws Error in words for the operator, where listening on an address fails as it often does. */
async function inWords<T>(
  address: ListenAddress,
  setting: string | undefined,
  listen: (host: string, port: number) => Promise<T>,
): Promise<T> {
  try {
    return await listen(address.host, address.port);
  } catch (error) {
    const problem = listenProblem(error, address, setting);
    throw problem === undefined ? error : new Error(problem, { cause: error });
  }
}
