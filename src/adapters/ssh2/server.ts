import type { AddressInfo, Socket } from 'node:net';
import ssh2, { type ClientInfo, type Connection as Ssh2Connection } from 'ssh2';
import { plainAddress } from '../../domain/address.js';
import type { AdmissionLimits } from '../../domain/admission-policy.js';
import type { AlgorithmSet } from '../../domain/algorithm-set.js';
import { isListedProxy, type Endpoint, type Origin, type ProxyRules } from '../../domain/proxy-rules.js';
import type { Clock } from '../../ports/clock.js';
import type { GitGateway } from '../../ports/git-gateway.js';
import type { Observer } from '../../ports/observer.js';
import type { StrangerWatch } from '../../ports/stranger-watch.js';
import type { Place, Throttle } from '../../ports/throttle.js';
import { ALGORITHMS, asSsh2Takes } from './algorithms.js';
import { SshConnection } from './connection.js';
import type { HostKey } from './host-keys/files.js';
import { Accepted, type Turnstiles } from './accepted.js';
import { Doorkeeper } from './guard/doorkeeper.js';
import { farewell } from './guard/farewell.js';
import { Refusals } from './guard/refusals.js';
import { Turnstile } from './guard/turnstile.js';
import { injectSocket, socketOf } from './internals.js';
import { Listeners } from './listeners.js';
import { awaitOrigin } from './proxy-protocol/arrival.js';
import { checkInternals } from './self-check.js';

const SOFTWARE = 'gitmouth';
const IDENTIFICATION_LINE = `SSH-2.0-${SOFTWARE}\r\n`;

export interface SshServerOptions {
  readonly gateway: GitGateway;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly throttle: Throttle;
  readonly strangers: StrangerWatch;
  readonly limits: AdmissionLimits;
  readonly newConnectionId: () => string;
  /** Current ones, of each type one, and next ones; clients are told of both, and the server proves itself by the current ones. */
  readonly hostKeys: readonly HostKey[];
  readonly algorithms: AlgorithmSet;
  /** Those in front of it. */
  readonly proxies: ProxyRules;
  /** The one SSH login name that is let in, where one is enforced. */
  readonly enforcedLogin?: string;
}

/** What of it can be replaced while it runs. */
export type SshServerChanges = Pick<
  SshServerOptions,
  'hostKeys' | 'algorithms' | 'limits' | 'proxies' | 'enforcedLogin'
>;

/** The SSH server: accepts connections, and lets go of them. */
export class SshServer {
  #options: SshServerOptions;
  readonly #listeners: Listeners;
  #ssh: ssh2.Server;
  /** Connections of proxies that have not said yet whom they are for. */
  readonly #announcing = new Set<Socket>();
  readonly #accepted = new Map<Socket, Accepted>();
  readonly #doorkeeper: Doorkeeper;
  readonly #refusals: Refusals;
  readonly #turnstiles: Turnstiles = {
    strangers: new Turnstile({ hasRests: true }),
    users: new Turnstile({ hasRests: false }),
  };

  /** @throws Error when the installed ssh2 is not the one this adapter fits. */
  constructor(options: SshServerOptions) {
    const problem = checkInternals();
    if (problem !== undefined) throw new Error(problem);
    this.#options = options;
    this.#doorkeeper = new Doorkeeper(options.throttle, options.limits);
    this.#refusals = new Refusals(options.observer);
    this.#ssh = this.#protocolOf(options);
    this.#listeners = new Listeners(
      (socket) => {
        this.#accept(socket).catch((error: unknown) => {
          this.#problem('a connection could not be accepted', error);
          socket.destroy();
        });
      },
      (error) => {
        this.#problem('a connection could not be accepted', error);
      },
    );
  }

  /**
   * Listens on one address more.
   * @param isIpv6Only for `::`, which stands for every IPv4 address of this machine, too, unless it is told not to.
   * @throws the listener's error (address in use, not permitted, …).
   */
  listen(host: string, port: number, isIpv6Only = false): Promise<AddressInfo> {
    return this.#listeners.listen(host, port, isIpv6Only);
  }

  /**
   * What new connections are served by from then on; those that are open keep what they began with.
   * @returns how to begin with it, once everything else is ready too.
   * @throws Error when it makes no server; nothing has changed then.
   */
  prepareReload(changes: SshServerChanges): () => void {
    const { enforcedLogin: _asBefore, ...lasting } = this.#options;
    const options = { ...lasting, ...changes };
    const ssh = this.#protocolOf(options);
    return () => {
      this.#options = options;
      this.#ssh = ssh;
      this.#doorkeeper.limits = options.limits;
    };
  }

  /** ssh2's server listens to nothing itself: it is given the sockets that were accepted here. */
  #protocolOf(options: SshServerOptions): ssh2.Server {
    const ssh = new ssh2.Server({
      hostKeys: options.hostKeys.filter(({ state }) => state === 'current').map((key) => key.privateKey),
      ident: SOFTWARE,
      algorithms: asSsh2Takes(ALGORITHMS[options.algorithms]),
      keepaliveInterval: options.limits.keepaliveMs,
      keepaliveCountMax: options.limits.keepaliveMisses,
    });
    return ssh.on('connection', (client: Ssh2Connection, info: ClientInfo) => {
      this.#connected(client, info, options);
    });
  }

  /** Accepts no more connections. */
  stopListening(): void {
    this.#listeners.close();
  }

  /** Ends every connection with these words, each when its sessions have ended; resolves when all are gone. */
  async endConnections(words: string): Promise<void> {
    const announcing = [...this.#announcing].map(async (socket) => {
      socket.destroy();
      if (!socket.closed) await closed(socket);
    });
    await Promise.all([
      ...announcing,
      ...[...this.#accepted].map(async ([socket, accepted]) => {
        const { connection } = accepted;
        accepted.pardon();
        if (connection === undefined) socket.destroy();
        else await connection.end(words);
        if (!socket.closed) await closed(socket);
      }),
    ]);
  }

  /** Cuts every connection at once. */
  cutConnections(): void {
    for (const socket of this.#announcing) socket.destroy();
    for (const [socket, accepted] of this.#accepted) {
      accepted.pardon();
      socket.destroy();
    }
  }

  /** ssh2 lets nobody contain what is thrown here, before anything listens to the connection's errors. */
  #connected(client: Ssh2Connection, info: ClientInfo, options: SshServerOptions): void {
    const socket = socketOf(client);
    const accepted = this.#accepted.get(socket);
    try {
      if (accepted === undefined) throw new Error('a connection over a socket that was not accepted here');
      accepted.connection = new SshConnection(client, info, accepted, options);
    } catch (error) {
      this.#problem('a connection could not be begun', error, accepted?.id);
      socket.destroy();
    }
  }

  #problem(message: string, error: unknown, connection?: string): void {
    this.#options.observer.record({
      type: 'problem',
      message,
      error,
      ...(connection === undefined ? {} : { connection }),
    });
  }

  async #accept(socket: Socket): Promise<void> {
    // Until ssh2 listens: a reset is the client's leaving, which `close` tells of.
    socket.on('error', () => undefined);
    const { remoteAddress, remotePort: port } = socket;
    if (remoteAddress === undefined || port === undefined) {
      // The client was gone before it was accepted.
      socket.destroy();
      return;
    }
    const peer = { address: plainAddress(remoteAddress), port };
    if (isListedProxy(peer.address, this.#options.proxies)) await this.#acceptFromProxy(socket, peer);
    else await this.#serve(socket, peer);
  }

  /** Nothing counts for the proxy's address until it has said whose connection this is. */
  async #acceptFromProxy(socket: Socket, proxy: Endpoint): Promise<void> {
    this.#announcing.add(socket);
    socket.once('close', () => this.#announcing.delete(socket));
    const { headerMs } = this.#options.proxies;
    const held = await this.#doorkeeper.hold();
    const origin = held === undefined ? 'too-many-connections' : await awaitOrigin(socket, proxy, headerMs);
    this.#announcing.delete(socket);
    if (typeof origin === 'object') {
      await this.#serve(socket, origin, held);
      return;
    }
    await held?.leave();
    if (origin === undefined) {
      socket.destroy();
      return;
    }
    this.#refusals.add(origin, proxy.address);
    farewell(socket, origin, IDENTIFICATION_LINE);
  }

  async #serve(socket: Socket, origin: Origin, held?: Place): Promise<void> {
    const { clock, observer, newConnectionId } = this.#options;
    const accepted = new Accepted(
      newConnectionId(),
      origin,
      socket,
      this.#turnstiles,
      IDENTIFICATION_LINE,
      this.#options,
    );
    const since = clock.now();
    this.#accepted.set(socket, accepted);
    socket.once('close', () => this.#accepted.delete(socket));

    const admission = await this.#doorkeeper.admit(
      origin.address,
      (reason) => {
        accepted.turnAway(reason);
      },
      held,
    );
    if (typeof admission === 'string') {
      this.#refusals.add(admission, origin.address);
      accepted.turnAway(admission);
      return;
    }
    if (socket.destroyed || accepted.turnedAway !== undefined) {
      admission.leave();
      return;
    }
    accepted.admission = admission;
    accepted.startDeadlines();
    observer.record({ type: 'connection-opened', connection: accepted.id, ...origin });
    socket.once('close', () => {
      const user = accepted.connection?.user;
      const { restrictedUntil, turnedAway } = accepted;
      observer.record({
        type: 'connection-closed',
        connection: accepted.id,
        address: origin.address,
        durationMs: clock.now() - since,
        ...(user === undefined ? {} : { user }),
        ...(turnedAway === undefined ? {} : { reason: turnedAway }),
        ...(restrictedUntil === undefined ? {} : { restrictedUntil }),
      });
    });
    // ssh2 sends it at once.
    accepted.unsentIdentification = '';
    injectSocket(this.#ssh, socket, accepted.read);
  }
}

/** Not by `once`, which rejects when the socket is reset. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}
