import { setMaxListeners } from 'node:events';
import type { ClientInfo, Connection as Ssh2Connection } from 'ssh2';
import { acceptedSignatureAlgorithms } from '../../domain/public-key.js';
import type { AlgorithmSet } from '../../domain/algorithm-set.js';
import type { AdmissionLimits } from '../../domain/admission-policy.js';
import type { StrangerLimits, StrangersConduct } from '../../domain/penalty-policy.js';
import type { Refusal } from '../../domain/refusal.js';
import { Departure, isDeparture } from '../../domain/session-end.js';
import type { Origin } from '../../domain/proxy-rules.js';
import type { Caller, Connection } from '../../domain/session.js';
import { endedLines } from '../../domain/words/ended.js';
import { identifyFaultBanner } from '../../domain/words/fault.js';
import { userNotVerifiedBanner } from '../../domain/words/login.js';
import { refusalLines } from '../../domain/words/refusal.js';
import { turnedAwayLine, type TurnedAway } from '../../domain/words/turned-away.js';
import type { Clock } from '../../ports/clock.js';
import type { GitGateway } from '../../ports/git-gateway.js';
import type { Observer } from '../../ports/observer.js';
import type { LiveConnection } from '../../ports/live-connections.js';
import type { Place, Throttle } from '../../ports/throttle.js';
import { ALGORITHMS } from './algorithms.js';
import { Authentication } from './authentication.js';
import { ConnectionLog } from './connection-log.js';
import { announceHostKeys, proveHostKeys } from './host-keys/proofs.js';
import type { HostKey } from './host-keys/files.js';
import { guard } from './guard/index.js';
import { LoginQueue } from './guard/login-queue.js';
import { disconnectReason, wordsOfDisconnect } from './guard/turn-away.js';
import { reasonOfError, ServerWire } from './internals.js';
import { DISCONNECT } from './messages.js';
import { Outflow } from './outflow.js';
import { answerPings, PING_EXTENSION } from './pings.js';
import { HYBRID } from './post-quantum/hybrid.js';
import { repair } from './repairs.js';
import { listenToSession } from './session.js';

/** From the end of its last session on, how long a client has to leave by itself. */
const FAREWELL_MS = 1_000;

/** From the end of a connection on our side to the client's answer, before it is cut. */
const LINGER_MS = 5_000;

/** The same for one that was turned away before it had logged in: a stranger holds nothing open for long. */
const STRANGER_LINGER_MS = 1_000;

/** What a client may send over a session that nobody reads yet: more than any request, and little to hold for many. */
const FIRST_WINDOW_BYTES = 64 * 1024;

/** The connection as it was accepted. */
export interface Arrival {
  readonly id: string;
  readonly origin: Origin;
  /** Of its log-in, as they are now. */
  readonly strangerLimits: StrangerLimits;
  /** Has what this client asked for handled when it is its turn: at once, or later. */
  inTurn(handle: () => void): void;
  /** Log-in deadlines end. */
  loggedIn(): void;
  /** Ends the connection by `turnAway` here, and notes the reason. */
  turnAway(reason: TurnedAway): void;
}

export interface ConnectionOptions {
  readonly gateway: GitGateway;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly throttle: Throttle;
  readonly limits: AdmissionLimits;
  readonly hostKeys: readonly HostKey[];
  readonly algorithms: AlgorithmSet;
  /** The one SSH login name that is let in, where one is enforced. */
  readonly enforcedLogin?: string;
}

/** One SSH connection: log-in, then sessions, each contained; whatever throws in here ends this connection alone. */
export class SshConnection {
  readonly #client: Ssh2Connection;
  readonly #wire: ServerWire;
  readonly #outflow: Outflow;
  readonly #options: ConnectionOptions;
  readonly #authentication: Authentication;
  readonly #gone = new AbortController();
  readonly #serving = new Set<Promise<void>>();
  /** Banners. */
  readonly #shown = new Set<string>();
  readonly #logins: LoginQueue;
  readonly #arrival: Arrival;
  readonly #log: ConnectionLog;
  #facts: Connection;
  #place: Place | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Cuts a connection that is being ended; the shortest time stands. */
  #cut: NodeJS.Timeout | undefined;
  #lingerMs = Infinity;
  #live: LiveConnection | undefined;
  #hasFaulted = false;

  constructor(client: Ssh2Connection, info: ClientInfo, arrival: Arrival, options: ConnectionOptions) {
    this.#client = client;
    this.#arrival = arrival;
    this.#options = options;
    this.#log = new ConnectionLog(options.observer, arrival.id);
    // Every session listens; more than ten are no leak.
    setMaxListeners(0, this.#gone.signal);
    this.#wire = new ServerWire(client, FIRST_WINDOW_BYTES, wordsOfDisconnect);
    repair(this.#wire);
    guard(this.#wire, options.limits, options.clock, (reason) => {
      arrival.turnAway(reason);
    });
    this.#wire.offerHostKeyAlgorithms(ALGORITHMS[options.algorithms].serverHostKey);
    this.#wire.addKeyExchange(HYBRID);
    this.#wire.advertise({ 'server-sig-algs': acceptedSignatureAlgorithms().join(','), ...PING_EXTENSION });
    answerPings(this.#wire, (reason) => {
      arrival.turnAway(reason);
    });
    proveHostKeys(this.#wire, options.hostKeys);
    this.#outflow = new Outflow(this.#wire);
    this.#facts = {
      id: arrival.id,
      address: arrival.origin.address,
      port: arrival.origin.port,
      software: info.header.versions.software,
      login: '',
    };
    this.#authentication = new Authentication(
      {
        identify: (proof, connection) => options.gateway.identify(proof, connection, this.#gone.signal),
        admit: (caller) => this.#admit(caller),
        tooMany: (what) => {
          arrival.turnAway(what);
        },
        failed: (connection, reason, fingerprint) => {
          this.#log.loginFailed(connection, reason, fingerprint);
          if (reason === 'wrong-login') this.#showLogin();
          if (reason === 'user-not-verified') this.#showOnce(userNotVerifiedBanner());
        },
        refused: (refusal) => {
          this.#showRefusal(refusal);
        },
        faulted: (error) => {
          this.#loginFaulted(error);
        },
      },
      {
        clock: options.clock,
        limits: () => arrival.strangerLimits,
        ...(options.enforcedLogin === undefined ? {} : { enforcedLogin: options.enforcedLogin }),
      },
      this.#gone.signal,
    );
    this.#logins = new LoginQueue(
      () => {
        arrival.turnAway('too-many-pending-logins');
      },
      (handle) => {
        arrival.inTurn(handle);
      },
    );
    this.#listen();
  }

  get user(): string | undefined {
    return this.#authentication.caller?.user.name;
  }

  /** How it has behaved, for whom nobody logged in over; undefined where that was no doing of theirs. */
  get conduct(): Omit<StrangersConduct, 'reason'> | undefined {
    const { attempts } = this.#authentication;
    return this.#hasFaulted || attempts.isProven ? undefined : attempts;
  }

  /** Ends the connection once its sessions have ended; new ones are still served until then. */
  async end(words: string): Promise<void> {
    while (this.#serving.size > 0) {
      await Promise.all(this.#serving);
      // A disconnect that arrives together with an exit status makes OpenSSH fail, whatever the status was.
      await this.#goneWithin(FAREWELL_MS);
    }
    this.disconnect(DISCONNECT.BY_APPLICATION, words);
  }

  async #goneWithin(limitMs: number): Promise<void> {
    if (this.#gone.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      const gone = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#gone.signal.addEventListener('abort', gone, { once: true });
    });
  }

  /** Tells the client why, and cuts the connection if the client does not. */
  disconnect(reason: number, words: string): void {
    this.#wire.disconnect(reason, words);
    this.#cutSoon();
  }

  /** Called by the arrival, for a limit that was passed. */
  turnAway(reason: TurnedAway, waitMs?: number): void {
    const { socket, isAuthenticated } = this.#wire;
    if (reason === 'unread-output' || reason === 'stalled-output') {
      // Nobody reads, so nothing can be told.
      socket.destroy();
      return;
    }
    this.#wire.disconnect(disconnectReason(reason), turnedAwayLine(reason, waitMs));
    // What runs over it need not wait for the client to hang up.
    this.#left();
    if (reason === 'too-many-strangers') socket.destroySoon();
    this.#cutSoon(isAuthenticated ? LINGER_MS : STRANGER_LINGER_MS);
  }

  #listen(): void {
    const [client, options] = [this.#client, this.#options];
    // ssh2 tells of a broken protocol, a dead peer (keepalive) and a reset socket alike; it has begun to end the
    // connection, but a peer that does not answer would leave the socket half open for ever.
    client.on('error', (error) => {
      this.#log.brokenOff(error, this.#facts, options.algorithms);
      const reason = reasonOfError(error);
      if (reason !== undefined) this.#arrival.turnAway(reason);
      this.#wire.ignoreInput();
      this.#cutSoon();
    });
    this.#wire.gateLogins((proceed) => {
      this.#logins.add(proceed);
    });
    client.on('authentication', (context) => {
      const { negotiated } = this.#wire;
      this.#facts = { ...this.#facts, login: context.username, ...(negotiated === undefined ? {} : { negotiated }) };
      void this.#logins.decide(this.#authentication.handle(context, this.#facts));
    });
    client.on('ready', () => {
      this.#contain(() => {
        this.#ready();
      });
    });
    client.on('session', (accept) => {
      this.#contain(() => {
        const live = this.#live;
        if (live === undefined) throw new Error('a session before a log-in');
        listenToSession(accept(), this.#wire, this.#outflow, this.#gone.signal, (ask, channel) => {
          this.#track(async () => this.#options.gateway.serve(live, ask, channel));
        });
      });
    });
    // ssh2 can't send anything any more once the client has ended its side, so that is its leaving already.
    client.on('end', () => {
      this.#left();
      this.#cutSoon();
    });
    client.on('close', () => {
      this.#left();
      this.#noteNoLogin();
    });
  }

  #left(): void {
    this.#gone.abort(new Departure('client-left'));
    this.#live?.remove();
    clearTimeout(this.#idle);
    void this.#place?.leave();
  }

  /** A user has so many connections at most. Asked before the log-in is accepted, so that none slips through. */
  async #admit({ user }: Caller): Promise<boolean> {
    const { throttle, limits } = this.#options;
    const place = await throttle.enter('connections-of-user', user.name, limits.connectionsPerUser);
    if (place === undefined) this.#arrival.turnAway('too-many-connections-of-user');
    else if (this.#gone.signal.aborted) void place.leave();
    else this.#place = place;
    return place !== undefined;
  }

  /** A connection on which nothing runs is not kept for ever; a command's own silence never counts. */
  #watchIdleness(): void {
    clearTimeout(this.#idle);
    if (this.#gone.signal.aborted || this.#serving.size > 0) return;
    this.#idle = setTimeout(() => {
      this.#arrival.turnAway('idle');
    }, this.#options.limits.idleMs);
  }

  #ready(): void {
    const { caller } = this.#authentication;
    if (caller === undefined) throw new Error('logged in without a proof');
    this.#log.loggedIn(caller);
    this.#arrival.loggedIn();
    announceHostKeys(this.#wire, this.#options.hostKeys);
    this.#watchIdleness();
    const live = this.#options.gateway.admit(caller);
    this.#live = live;
    const ended = () => {
      const reason: unknown = live.ended.reason;
      void this.end(isDeparture(reason) ? endedLines(reason.reason).join(' ') : '');
    };
    if (live.ended.aborted) ended();
    else live.ended.addEventListener('abort', ended, { once: true, signal: this.#gone.signal });
  }

  #track(serve: () => Promise<void>): void {
    const tracked = serve()
      .catch((error: unknown) => {
        this.#log.problem('serve must not reject', error);
      })
      .finally(() => {
        this.#serving.delete(tracked);
        this.#watchIdleness();
      });
    this.#serving.add(tracked);
    this.#watchIdleness();
  }

  /** Keys were offered, and that was all: told once, for who counts failed log-ins by the log. */
  #noteNoLogin(): void {
    const { failures, isProven, refusedOffer } = this.#authentication.attempts;
    if (isProven || failures > 0 || refusedOffer === undefined) return;
    const { reason, fingerprint } = refusedOffer;
    this.#log.loginFailed(this.#facts, reason === 'unknown-key' ? 'no-login' : reason, fingerprint);
  }

  /** An outage is no denial: words and the connection's id go out, then "service not available". */
  #loginFaulted(error: unknown): void {
    if (this.#gone.signal.aborted) return;
    this.#hasFaulted = true;
    this.#log.faulted(error);
    const words = identifyFaultBanner(this.#arrival.id);
    this.#wire.banner(words);
    this.disconnect(DISCONNECT.SERVICE_NOT_AVAILABLE, words.trim());
  }

  /** A client tells nobody why its key was not taken. Of a key that nobody knows there is nothing to tell. */
  #showRefusal(refusal: Refusal): void {
    if (refusal.kind !== 'certificate' && refusal.kind !== 'key-revoked') return;
    this.#showOnce(`${refusalLines(refusal).join('\n')}\n`);
  }

  #showLogin(): void {
    const { enforcedLogin } = this.#options;
    if (enforcedLogin === undefined) return;
    this.#showOnce(`${refusalLines({ kind: 'wrong-login', expected: enforcedLogin }).join('\n')}\n`);
  }

  /** Once: an agent offers one key after the other. */
  #showOnce(banner: string): void {
    if (this.#shown.has(banner)) return;
    this.#shown.add(banner);
    this.#wire.banner(banner);
  }

  #contain(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#log.problem('a connection was ended by a bug', error);
      this.disconnect(DISCONNECT.BY_APPLICATION, 'internal error');
    }
  }

  #cutSoon(lingerMs = LINGER_MS): void {
    const { socket } = this.#wire;
    if (socket.destroyed || lingerMs >= this.#lingerMs) return;
    this.#lingerMs = lingerMs;
    if (this.#cut === undefined) {
      socket.once('close', () => {
        clearTimeout(this.#cut);
      });
    }
    clearTimeout(this.#cut);
    this.#cut = setTimeout(() => socket.destroy(), lingerMs);
  }
}
