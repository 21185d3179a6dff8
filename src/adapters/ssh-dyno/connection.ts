import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { ALGORITHMS, asSsh2Takes } from '../ssh2/algorithms.js';
import { Identification } from '../ssh2/guard/identification.js';
import { guardKeyExchange } from '../ssh2/guard/key-exchange.js';
import { guardOutput } from '../ssh2/guard/output.js';
import { ClientWire, filterInput } from '../ssh2/internals.js';
import { DISCONNECT } from '../ssh2/messages.js';
import { Outflow } from '../ssh2/outflow.js';
import { HYBRID } from '../ssh2/post-quantum/hybrid.js';
import { quoted, Trouble } from '../remote/trouble.js';
import { troubleOfBreach, type Breach } from './breach.js';
import { DynoChannel } from './channel.js';
import { keepalive } from './channel-messages.js';
import { Keepalive } from './keepalive.js';
import { gateMessages } from './message-gate.js';
import type { ConnectionLimits } from './settings.js';
import { troubleOfSsh, wrongHostKey, type SshError } from './ssh-trouble.js';
import type { Target } from './target.js';

/** Whatever it is made of: a key exchange, a banner and the log-in are some KiB. */
const MOST_BEFORE_LOGIN_BYTES = 256 * 1024;

/** As much as is quoted of what is no SSH. */
const FIRST_LINE_BYTES = 255;

/** What OpenSSH says in place of its line to one connection too many (MaxStartups, PerSourcePenalties). */
const FULL = /^(?:Exceeded MaxStartups|Not allowed at this time)/;

/** From our end of a connection to the dyno's, before it is cut. */
const LINGER_MS = 1_000;

/**
 * A connection to a dyno's SSH server: ssh2 exchanges keys and logs in; what comes after is for our own channel.
 *
 * Whatever ends it, the first reason stands, and from then on nothing of the dyno is listened to.
 */
export class DynoConnection {
  readonly #target: Target;
  readonly #clientKey: string;
  readonly #limits: ConnectionLimits;
  readonly #socket: Socket;
  readonly #over = new AbortController();
  readonly #closed: Promise<void>;
  readonly #identification: Identification;
  #firstBytes = '';
  #bytesBeforeLogin = 0;
  #wire: ClientWire | undefined;
  #keepalive: Keepalive | undefined;
  #cut: NodeJS.Timeout | undefined;

  /** Begins to connect. */
  constructor(target: Target, clientKey: string, limits: ConnectionLimits) {
    this.#target = target;
    this.#clientKey = clientKey;
    this.#limits = limits;
    this.#identification = new Identification(() => {
      const words = this.#quoted(this.#firstBytes);
      const isFull = FULL.test(this.#firstBytes);
      this.fail(
        isFull ? Trouble.down(`it takes nobody: ${words}`) : Trouble.wrong(`it does not speak SSH 2: ${words}`),
      );
    });
    this.#socket = connect({ host: target.host, port: target.port, noDelay: true });
    this.#socket.on('error', (error) => {
      this.fail(Trouble.of(error));
    });
    this.#socket.on('end', () => {
      this.fail(Trouble.down('it closed the connection'));
    });
    this.#closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.fail(Trouble.down('the connection was closed'));
        clearTimeout(this.#cut);
        resolve();
      });
    });
  }

  /** Aborts when the connection is over, with the reason. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Logs in. @returns the channel of the connection, not opened yet. */
  async logIn(): Promise<{ channel: DynoChannel; outflow: Outflow }> {
    if (this.#socket.connecting) await this.unlessOver(new Promise((resolve) => this.#socket.once('connect', resolve)));
    this.over.throwIfAborted();
    const target = this.#target;
    const client = new ssh2.Client();
    const ready = new Promise<void>((resolve) => client.once('ready', () => resolve()));
    client.on('error', (error: SshError) => {
      this.fail(troubleOfSsh(error, target));
    });
    filterInput(this.#socket, (bytes, handOn) => {
      this.#heard(bytes, handOn);
    });
    client.connect({
      sock: this.#socket,
      username: target.user,
      privateKey: this.#clientKey,
      authHandler: ['publickey'],
      hostVerifier: (blob: Buffer) => this.#isPinned(blob),
      algorithms: { ...asSsh2Takes(ALGORITHMS.modern), serverHostKey: target.hostKeyAlgorithms },
      ident: 'gitmouth',
      // The time is kept by whoever opens a dyno, and from the first packet on.
      readyTimeout: 0,
      keepaliveInterval: 0,
    });
    const wire = new ClientWire(client, () => '');
    wire.addKeyExchange(HYBRID);
    this.#wire = wire;
    const channel = this.#guard(wire);
    await this.unlessOver(ready);
    this.#keepalive = new Keepalive(
      this.#limits,
      () => {
        wire.post(keepalive());
      },
      () => {
        this.#breach('keepalive-timeout');
      },
    );
    return { channel, outflow: new Outflow(wire) };
  }

  /** What a promise gives, or the reason for which the connection is over first. */
  async unlessOver<T>(promise: Promise<T>): Promise<T> {
    let stop = () => undefined as void;
    const over = new Promise<never>((_resolve, reject) => {
      stop = () => {
        reject(this.over.reason);
      };
    });
    this.over.addEventListener('abort', stop, { once: true });
    if (this.over.aborted) stop();
    try {
      return await Promise.race([promise, over]);
    } finally {
      this.over.removeEventListener('abort', stop);
    }
  }

  /** Cuts the connection; the first reason stands. */
  fail(reason: unknown): void {
    if (this.over.aborted) return;
    this.#over.abort(reason);
    this.#keepalive?.stop();
    this.#wire?.ignoreInput();
    this.#socket.destroy();
  }

  /** Ends the connection in order, or cuts it where that takes too long. Resolves when it is closed. */
  async end(): Promise<void> {
    if (!this.over.aborted && this.#wire !== undefined) {
      this.#keepalive?.stop();
      this.#wire.disconnect(DISCONNECT.BY_APPLICATION, '');
      this.#cut ??= setTimeout(() => this.#socket.destroy(), LINGER_MS);
    }
    await this.#closed;
  }

  #guard(wire: ClientWire): DynoChannel {
    const breach = (why: Breach) => {
      this.#breach(why);
    };
    const channel = new DynoChannel(wire, breach, (text) => this.#quoted(text));
    // These see every message; the gate keeps most of them to itself.
    guardKeyExchange(wire, this.#limits, performance, breach);
    guardOutput(wire, this.#limits, breach);
    gateMessages(wire, {
      receive: (type, payload) => {
        channel.receive(type, payload);
      },
      leaves: (words) => {
        this.fail(Trouble.down(`it ended the connection: ${this.#quoted(words)}`));
      },
      breach,
    });
    return channel;
  }

  #breach(why: Breach): void {
    this.fail(troubleOfBreach(why));
  }

  #heard(bytes: Buffer, handOn: (bytes: Buffer) => void): void {
    if (this.over.aborted) return;
    this.#keepalive?.heard();
    if (!this.#identification.isKnown)
      this.#firstBytes += bytes.toString('latin1', 0, FIRST_LINE_BYTES - this.#firstBytes.length);
    const isLoggedIn = this.#wire?.isAuthenticated === true;
    if (!isLoggedIn) this.#bytesBeforeLogin += bytes.length;
    if (this.#bytesBeforeLogin > MOST_BEFORE_LOGIN_BYTES) {
      this.#breach('too-much-before-login');
      return;
    }
    const passed = this.#identification.take(bytes);
    if (passed !== undefined) handOn(passed);
  }

  #isPinned(blob: Buffer): boolean {
    const isPinned = blob.equals(this.#target.hostKey.blob);
    if (!isPinned) this.fail(wrongHostKey(fingerprintOf(blob), this.#target));
    return isPinned;
  }

  #quoted(text: string): string {
    return quoted(text, this.#target.secrets);
  }
}

function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
