import type { Socket } from 'node:net';
import type { AdmissionLimits } from '../../domain/admission-policy.js';
import { sourceOf } from '../../domain/address.js';
import type { TurnedAway } from '../../domain/words/turned-away.js';
import type { Arrival, SshConnection } from './connection.js';
import type { Admission } from './guard/doorkeeper.js';
import { farewell } from './guard/farewell.js';
import { Identification } from './guard/identification.js';
import type { Turnstile } from './guard/turnstile.js';

/** Strangers have their turns by source, users by name. */
export interface Turnstiles {
  readonly strangers: Turnstile;
  readonly users: Turnstile;
}

/** A TCP connection from its acceptance on, with the deadlines that no traffic prolongs. */
export class Accepted implements Arrival {
  readonly id: string;
  readonly socket: Socket;
  readonly #source: string;
  readonly #turnstiles: Turnstiles;
  readonly #timers: NodeJS.Timeout[] = [];
  /** The SSH connection, once the client's identification line has come. */
  connection: SshConnection | undefined;
  admission: Admission | undefined;
  /** The server's identification line; empty once it was sent. */
  unsentIdentification: string;
  turnedAway: TurnedAway | undefined;
  readonly #identification = new Identification(() => {
    this.turnAway('bad-identification');
  });

  constructor(id: string, address: string, socket: Socket, turnstiles: Turnstiles, identification: string) {
    this.id = id;
    this.socket = socket;
    this.#source = sourceOf(address);
    this.#turnstiles = turnstiles;
    this.unsentIdentification = identification;
    // Until ssh2 listens: a reset is the client's leaving, which `close` tells of.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#clearTimers();
      this.admission?.leave();
    });
  }

  /** Starts the time to identify and to log in. */
  startDeadlines({ identificationMs, loginMs }: AdmissionLimits): void {
    const arm = (ms: number, expire: () => void) => this.#timers.push(setTimeout(expire, ms));
    arm(identificationMs, () => {
      if (!this.#identification.isKnown) this.turnAway('identification-timeout');
    });
    arm(loginMs, () => {
      this.turnAway('login-timeout');
    });
  }

  /** What has come from the client is for ssh2 once the first line is known, and when it is this client's turn. */
  readonly read = (bytes: Buffer, handOn: (bytes: Buffer) => void): void => {
    if (this.turnedAway !== undefined) return;
    const passed = this.#identification.take(bytes);
    if (passed === undefined) return;
    const handle = () => {
      if (!this.socket.destroyed && this.turnedAway === undefined) handOn(passed);
    };
    const user = this.connection?.user;
    const turnstile = user === undefined ? this.#turnstiles.strangers : this.#turnstiles.users;
    if (turnstile.passNow(handle)) return;
    // Nothing more of it is read until this was handled, so that pieces stay in order and do not pile up.
    this.socket.pause();
    turnstile.waitToPass(user ?? this.#source, () => {
      this.socket.resume();
      handle();
    });
  };

  loggedIn(): void {
    this.#clearTimers();
    this.admission?.loggedIn();
  }

  /** Ends it for a reason, told to the client in words if it can still be told. The first reason stands. */
  turnAway(reason: TurnedAway): void {
    if (this.socket.destroyed || this.turnedAway !== undefined) return;
    this.turnedAway = reason;
    this.#clearTimers();
    if (this.connection !== undefined) this.connection.turnAway(reason);
    else farewell(this.socket, reason, this.unsentIdentification);
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }
}
