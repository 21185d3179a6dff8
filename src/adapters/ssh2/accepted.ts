import type { Socket } from 'node:net';
import type { AdmissionLimits } from '../../domain/admission-policy.js';
import { limitsFor, type Penalty, type StrangerLimits } from '../../domain/penalty-policy.js';
import { sourceOf } from '../../domain/address.js';
import { mayPoseAsProxy, type Origin, type ProxyRules } from '../../domain/proxy-rules.js';
import type { TurnedAway } from '../../domain/words/turned-away.js';
import type { Clock } from '../../ports/clock.js';
import type { StrangerWatch } from '../../ports/stranger-watch.js';
import type { Arrival, SshConnection } from './connection.js';
import type { Admission } from './guard/doorkeeper.js';
import { farewell } from './guard/farewell.js';
import { Identification } from './guard/identification.js';
import type { Turnstile } from './guard/turnstile.js';
import { StrayHeader } from './proxy-protocol/stray-header.js';

/** Strangers have their turns by source, users by name. */
export interface Turnstiles {
  readonly strangers: Turnstile;
  readonly users: Turnstile;
}

export interface AcceptedOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly limits: AdmissionLimits;
  readonly proxies: ProxyRules;
  readonly strangers: StrangerWatch;
}

/** A TCP connection from its acceptance on, with the deadlines that no traffic prolongs. */
export class Accepted implements Arrival {
  readonly id: string;
  readonly socket: Socket;
  readonly #options: AcceptedOptions;
  readonly origin: Origin;
  readonly #source: string;
  readonly #turnstiles: Turnstiles;
  readonly #timers: NodeJS.Timeout[] = [];
  /** The SSH connection, once the client's identification line has come. */
  connection: SshConnection | undefined;
  admission: Admission | undefined;
  /** The server's identification line; empty once it was sent. */
  unsentIdentification: string;
  turnedAway: TurnedAway | undefined;
  /** What is held against its address, as far as is known here. */
  #penalty: Penalty | undefined;
  /** Nobody has logged in over it, and how it has behaved was not told yet. */
  #isWatched = true;
  readonly #identification = new Identification(() => {
    this.turnAway('bad-identification');
  });
  /** Where there are proxies, and this is none of them. */
  readonly #strayHeader: StrayHeader | undefined;

  constructor(
    id: string,
    origin: Origin,
    socket: Socket,
    turnstiles: Turnstiles,
    identification: string,
    options: AcceptedOptions,
  ) {
    this.id = id;
    this.socket = socket;
    this.#options = options;
    this.origin = origin;
    this.#source = sourceOf(origin.address);
    this.#turnstiles = turnstiles;
    this.unsentIdentification = identification;
    if (mayPoseAsProxy(origin.address, options.proxies)) {
      this.#strayHeader = new StrayHeader(() => {
        this.turnAway('untrusted-proxy');
      });
    }
    socket.once('close', () => {
      this.#clearTimers();
      this.admission?.leave();
      this.#tellConduct();
    });
    void options.strangers.of(origin.address).then((penalty) => {
      this.#hold(penalty);
    });
  }

  get strangerLimits(): StrangerLimits {
    return limitsFor(this.#penalty?.isEnforced === true, this.#options.limits);
  }

  /** Until when strangers of its address have fewer tries, where they do. */
  get restrictedUntil(): number | undefined {
    return this.#penalty?.isEnforced === true ? this.#penalty.until : undefined;
  }

  /** Starts the time to identify and to log in. */
  startDeadlines(): void {
    this.#after(this.#options.limits.identificationMs, () => {
      if (!this.#identification.isKnown) this.turnAway('identification-timeout');
    });
    this.#limitLogin();
  }

  #limitLogin(): void {
    this.#after(this.strangerLimits.loginMs, () => {
      this.turnAway('login-timeout');
    });
  }

  #after(ms: number, expire: () => void): void {
    this.#timers.push(setTimeout(expire, ms));
  }

  /** Told a moment after its beginning: a state that is slow to answer holds nobody up. */
  #hold(penalty: Penalty | undefined): void {
    if (!this.#isWatched || this.socket.destroyed) return;
    this.#penalty = penalty;
    if (this.restrictedUntil !== undefined && this.#timers.length > 0) this.#limitLogin();
  }

  /** What has come from the client is for ssh2 once the first line is known, and when it is this client's turn. */
  readonly read = (bytes: Buffer, handOn: (bytes: Buffer) => void): void => {
    if (this.turnedAway !== undefined) return;
    const own = this.#strayHeader === undefined ? bytes : this.#strayHeader.take(bytes);
    const passed = own && this.#identification.take(own);
    if (passed === undefined) return;
    const handle = () => {
      if (!this.socket.destroyed && this.turnedAway === undefined) handOn(passed);
    };
    const [turnstile, party] = this.#turns;
    if (turnstile.passNow(handle)) return;
    // Nothing more of it is read until this was handled, so that pieces stay in order and do not pile up.
    this.socket.pause();
    turnstile.waitToPass(party, () => {
      this.socket.resume();
      handle();
    });
  };

  inTurn(handle: () => void): void {
    const [turnstile, party] = this.#turns;
    if (!turnstile.passNow(handle)) turnstile.waitToPass(party, handle);
  }

  get #turns(): readonly [turnstile: Turnstile, party: string] {
    const user = this.connection?.user;
    return user === undefined ? [this.#turnstiles.strangers, this.#source] : [this.#turnstiles.users, user];
  }

  loggedIn(): void {
    this.#isWatched = false;
    this.#clearTimers();
    this.admission?.loggedIn();
  }

  /** Ends it for a reason, told to the client in words if it can still be told. The first reason stands. */
  turnAway(reason: TurnedAway): void {
    if (this.socket.destroyed || this.turnedAway !== undefined) return;
    this.turnedAway = reason;
    this.#clearTimers();
    const waitMs = this.#tellConduct();
    if (this.connection !== undefined) this.connection.turnAway(reason, waitMs);
    else farewell(this.socket, reason, this.unsentIdentification, waitMs);
  }

  /** It is being ended for no reason of the client's: nothing is held against anybody. */
  pardon(): void {
    this.#isWatched = false;
  }

  /**
   * Once, at the end of a connection that nobody has logged in over.
   * @returns for how long strangers of its address have fewer tries, where it did wrong and they do.
   */
  #tellConduct(): number | undefined {
    if (!this.#isWatched) return undefined;
    this.#isWatched = false;
    const conduct = this.connection === undefined ? { failures: 0, hasTried: false } : this.connection.conduct;
    if (conduct === undefined) return undefined;
    const { strangers, clock } = this.#options;
    const reason = this.turnedAway === undefined ? {} : { reason: this.turnedAway };
    const penalty = strangers.ended(this.origin.address, { ...conduct, ...reason }, this.#penalty);
    if (penalty?.isEnforced !== true) return undefined;
    this.#penalty = penalty;
    return penalty.until - clock.now();
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }
}
