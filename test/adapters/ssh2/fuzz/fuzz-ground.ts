/** One server for all inputs, with an eye on what it may never do, whatever it is sent. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { defaultMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { inspect } from 'node:util';
import ssh2 from 'ssh2';
import { MemoryThrottle } from '../../../../src/adapters/memory/index.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../../../src/domain/admission-policy.js';
import type { DomainEvent } from '../../../../src/domain/events.js';
import { until, within } from '../../../../src/contracts/contract.js';
import { usedBytes } from '../../../support/garbage.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { makePair, openGround, type Ground, type Request } from '../ground.js';

const MANY = 1_000_000;
const POUR_BYTES = 1024 ** 2;
const LIMIT_MS = 20_000;
/** By all that is under way at once: a length is not to be believed before what it counts has come. */
const MOST_USED_BYTES = 512 * 1024 ** 2;

/** Nothing that would end a connection before its input is through, or make a run of many inputs slow. */
const LIMITS = {
  ...DEFAULT_ADMISSION_LIMITS,
  connections: MANY,
  connectionsPerUser: MANY,
  unauthenticated: MANY,
  unauthenticatedDropFrom: MANY,
  unauthenticatedPerSource: MANY,
  failureDelayMs: 1,
};

const mallory = makePair();
const honest = makePair();

export class FuzzGround {
  readonly #ground: Ground;
  readonly #throttle: MemoryThrottle;
  /** The server's ends of open connections, by the client's port. */
  readonly #sockets = new Map<number, Socket>();
  /** What the server said of itself that is a bug or would be an outage. */
  readonly #troubles: string[];
  #running = 0;
  readonly #accepted = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket };
    const { remotePort = 0 } = socket;
    this.#sockets.set(remotePort, socket);
    socket.once('close', () => {
      this.#expectFewListeners(socket);
      if (this.#sockets.get(remotePort) === socket) this.#sockets.delete(remotePort);
    });
  };

  private constructor(ground: Ground, throttle: MemoryThrottle, troubles: string[]) {
    this.#ground = ground;
    this.#throttle = throttle;
    this.#troubles = troubles;
    subscribe('net.server.socket', this.#accepted);
    const { gateway } = ground;
    gateway.platform.register('mallory', mallory.publicKey);
    gateway.platform.register('honest', honest.publicKey);
    const sayWho = gateway.command;
    gateway.command = (request) => (request.caller.user.name === 'honest' ? sayWho(request) : this.#serve(request));
    // Jest's own handler would fail the test at its end, and not name the input.
    process.setUncaughtExceptionCaptureCallback((error) => troubles.push(`uncaught: ${inspect(error)}`));
  }

  static async open(): Promise<FuzzGround> {
    const troubles: string[] = [];
    const throttle = new MemoryThrottle();
    const record = (event: DomainEvent) => {
      if (event.type === 'problem' || event.type === 'fault') troubles.push(inspect(event));
    };
    return new FuzzGround(await openGround({ limits: LIMITS, throttle, observer: { record } }), throttle, troubles);
  }

  get port(): number {
    return this.#ground.port;
  }

  /** The key of the user whose client is hostile. */
  get key() {
    return mallory;
  }

  /** The server goes on reading what this client sends, and writing to it. */
  isListeningTo(client: HostileClient): boolean {
    return !client.isClosed && this.#serverSide(client)?.writable === true;
  }

  /** Resolves once the server has read and handled all that a client has sent, or let go of it. */
  async hasTaken(client: HostileClient): Promise<void> {
    const isTaken = () => {
      const socket = this.#serverSide(client);
      // A stranger's connection is paused until its turn has come.
      return client.isClosed || (socket?.bytesRead === client.socket.bytesWritten && !socket.isPaused());
    };
    if (!isTaken()) await until(isTaken, 'the server reads what it was sent', undefined, LIMIT_MS);
    await new Promise((resolve) => setImmediate(resolve));
    if (process.memoryUsage().arrayBuffers < MOST_USED_BYTES) return;
    const used = await usedBytes();
    if (used > MOST_USED_BYTES) throw new Error(`${used} bytes are taken for what was sent`);
  }

  /** Has all do their part; rejects when all have, and no connection is left, with the first rejection. */
  async together<T>(parts: readonly Promise<T>[]): Promise<readonly T[]> {
    await Promise.allSettled(parts);
    await until(() => this.#sockets.size === 0, 'all connections are closed', undefined, LIMIT_MS);
    return Promise.all(parts);
  }

  /** Rejects for what is left of any hostile client, and for whatever the server may not do. */
  async expectWell(): Promise<void> {
    await until(() => this.#running === 0, 'all commands have ended', undefined, LIMIT_MS);
    const held = async () => [
      this.#ground.gateway.connections.list().length,
      await this.#throttle.count('connections', 'all'),
      await this.#throttle.count('unauthenticated', 'all'),
      await this.#throttle.count('connections-of-user', 'mallory'),
    ];
    await until(async () => (await held()).every((count) => count === 0), 'all places are given back');
    const troubles = this.#troubles.splice(0);
    if (troubles.length > 0) throw new Error(troubles.join('\n'));
    await this.#expectHonestServed();
    this.#ground.gateway.requests.length = this.#ground.gateway.lookups.length = 0;
  }

  async close(): Promise<void> {
    await this.#ground.close();
    unsubscribe('net.server.socket', this.#accepted);
    process.setUncaughtExceptionCaptureCallback(null);
  }

  /** Node warns of more, on the operator's standard error. */
  #expectFewListeners(socket: Socket): void {
    for (const event of socket.eventNames()) {
      const count = socket.listenerCount(event);
      if (count > defaultMaxListeners) this.#troubles.push(`${count} listeners to a socket's ${String(event)}`);
    }
  }

  #serverSide({ localPort = 0 }: HostileClient): Socket | undefined {
    return this.#sockets.get(localPort);
  }

  /** Reads and writes as git would, and does not end before its input does. */
  async #serve({ ask, channel }: Request): Promise<void> {
    this.#running += 1;
    try {
      if (ask.kind === 'command' && ask.command === 'pour') channel.stdout.write(Buffer.alloc(POUR_BYTES));
      await pipeline(channel.stdin, channel.stdout, { signal: channel.gone, end: false });
    } catch (error) {
      if (!channel.gone.aborted) this.#troubles.push(`the streams of a client that is there: ${inspect(error)}`);
    } finally {
      await channel.finish({ words: 'over\n', exit: { code: 0 } });
      this.#running -= 1;
    }
  }

  async #expectHonestServed(): Promise<void> {
    const said = await within(this.#visit(), 'an honest client to be served', LIMIT_MS);
    if (said !== `honest ${honest.fingerprint}\n`) throw new Error(`an honest client was told '${said}'`);
    await until(() => this.#sockets.size === 0, 'the honest client has left', undefined, LIMIT_MS);
  }

  /** @returns what the server says. */
  #visit(): Promise<string> {
    const client = new ssh2.Client();
    const visit = new Promise<string>((resolve, reject) => {
      let said = '';
      client.on('error', reject).on('close', () => resolve(said));
      client.on('ready', () => {
        client.exec('who', (error, stream) => {
          if (error) {
            reject(error);
            return;
          }
          stream.on('data', (chunk: Buffer) => (said += chunk.toString())).on('close', () => client.end());
        });
      });
    });
    client.connect({ host: '127.0.0.1', port: this.port, username: 'git', privateKey: honest.privateKey });
    return visit.finally(() => client.destroy());
  }
}
