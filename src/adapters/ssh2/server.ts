import { once } from 'node:events';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import ssh2, { type ClientInfo, type Connection as Ssh2Connection } from 'ssh2';
import { plainAddress } from '../../domain/address.js';
import type { AdmissionLimits } from '../../domain/admission-policy.js';
import type { AlgorithmSet } from '../../domain/algorithm-set.js';
import type { Clock } from '../../ports/clock.js';
import type { GitGateway } from '../../ports/git-gateway.js';
import type { Observer } from '../../ports/observer.js';
import type { StrangerWatch } from '../../ports/stranger-watch.js';
import type { Throttle } from '../../ports/throttle.js';
import { ALGORITHMS, asSsh2Takes } from './algorithms.js';
import { SshConnection } from './connection.js';
import type { HostKey } from './host-keys.js';
import { Accepted, type Turnstiles } from './accepted.js';
import { Doorkeeper } from './guard/doorkeeper.js';
import { Refusals } from './guard/refusals.js';
import { Turnstile } from './guard/turnstile.js';
import { injectSocket, socketOf } from './internals.js';
import { checkInternals } from './self-check.js';

const SOFTWARE = 'gitmouth';

export interface SshServerOptions {
  readonly gateway: GitGateway;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly throttle: Throttle;
  readonly strangers: StrangerWatch;
  readonly limits: AdmissionLimits;
  readonly newConnectionId: () => string;
  readonly hostKeys: readonly HostKey[];
  readonly algorithms: AlgorithmSet;
  /** The one SSH login name that is let in, where one is enforced. */
  readonly enforcedLogin?: string;
}

/** What of it can be replaced while it runs. */
export type SshServerChanges = Pick<SshServerOptions, 'hostKeys' | 'algorithms' | 'limits' | 'enforcedLogin'>;

/** The SSH server: accepts connections, and lets go of them. */
export class SshServer {
  #options: SshServerOptions;
  readonly #listener: NetServer;
  #ssh: ssh2.Server;
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
    // Without TCP_NODELAY a small answer waits for the client's delayed acknowledgement: 148 ms for an ls-remote
    // instead of 24.
    this.#listener = createServer({ noDelay: true }, (socket) => {
      this.#accept(socket).catch((error: unknown) => {
        this.#problem('a connection could not be accepted', error);
        socket.destroy();
      });
    });
    // Too many open files, say: this client can't be served, those that are connected can.
    this.#listener.on('error', (error) => {
      if (this.#listener.listening) this.#problem('a connection could not be accepted', error);
    });
  }

  /** @throws the listener's error (address in use, not permitted, …). */
  async listen(host: string, port: number): Promise<AddressInfo> {
    this.#listener.listen(port, host);
    await once(this.#listener, 'listening');
    const address = this.#listener.address();
    if (address === null || typeof address === 'string') throw new Error('listening on something that is no TCP port');
    return address;
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
      hostKeys: options.hostKeys.map((key) => key.privateKey),
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
    this.#listener.close();
  }

  /** Ends every connection with these words, each when its sessions have ended; resolves when all are gone. */
  async endConnections(words: string): Promise<void> {
    await Promise.all(
      [...this.#accepted].map(async ([socket, accepted]) => {
        const { connection } = accepted;
        accepted.pardon();
        if (connection === undefined) socket.destroy();
        else await connection.end(words);
        if (!socket.closed) await closed(socket);
      }),
    );
  }

  /** Cuts every connection at once. */
  cutConnections(): void {
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
    const { clock, observer, newConnectionId } = this.#options;
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      // The client was gone before it was accepted.
      socket.destroy();
      return;
    }
    const address = plainAddress(remoteAddress);
    const line = `SSH-2.0-${SOFTWARE}\r\n`;
    const accepted = new Accepted(newConnectionId(), address, socket, this.#turnstiles, line, this.#options);
    const since = clock.now();
    this.#accepted.set(socket, accepted);
    socket.once('close', () => this.#accepted.delete(socket));

    const admission = await this.#doorkeeper.admit(address, (reason) => {
      accepted.turnAway(reason);
    });
    if (typeof admission === 'string') {
      this.#refusals.add(admission, address);
      accepted.turnAway(admission);
      return;
    }
    if (socket.destroyed || accepted.turnedAway !== undefined) {
      admission.leave();
      return;
    }
    accepted.admission = admission;
    accepted.startDeadlines();
    observer.record({ type: 'connection-opened', connection: accepted.id, address, port: remotePort });
    socket.once('close', () => {
      const user = accepted.connection?.user;
      const { restrictedUntil, turnedAway } = accepted;
      observer.record({
        type: 'connection-closed',
        connection: accepted.id,
        address,
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
