/**
 * The only file that touches ssh2's private parts. Everything else in this folder works on the typed surface below.
 *
 * It fits exactly ssh2 1.17.0, which package.json pins; `checkInternals` refuses to start on anything else.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type ssh2 from 'ssh2';
import type { Connection as Ssh2Connection, ServerChannel, Session as Ssh2Session } from 'ssh2';
import {
  bannerMessage,
  DISCONNECT,
  disconnectMessage,
  exitSignalMessage,
  signatureAlgorithmsMessage,
} from './messages.js';

const TESTED_VERSION = '1.17.0';

type Handler = (...args: unknown[]) => void;

/** The parts of ssh2's Protocol (lib/protocol/Protocol.js) that are used. */
interface Protocol {
  _kexinit: unknown;
  _queue: Uint8Array[] | undefined;
  _kex: { remoteExtInfoEnabled?: boolean } | undefined;
  _offer: Offer;
  _cipher: { encrypt(packet: Buffer): void };
  _packetRW: {
    write: {
      allocStart: number;
      allocStartKEX: number;
      alloc(length: number, force?: boolean): Buffer;
      finalize(packet: Buffer, force?: boolean): Buffer;
    };
  };
  _handlers: Record<string, Handler | undefined>;
  _onHandshakeComplete: Handler;
  exitStatus(channel: number, code: number): void;
  channelFailure(channel: number): void;
}

type Direction = Record<'cipher' | 'mac' | 'compress' | 'lang', readonly string[]>;

/** What a KEXINIT offers (KexInit of lib/protocol/kex.js), and what one is made from. */
interface Offer {
  readonly lists: {
    readonly kex: { readonly array: readonly string[] };
    readonly serverHostKey: { readonly array: readonly string[] };
    readonly cs: Record<keyof Direction, { readonly array: readonly string[] }>;
  };
  readonly constructor: unknown;
}

type NewOffer = new (algorithms: {
  kex: readonly string[];
  serverHostKey: readonly string[];
  cs: Direction;
  sc: Direction;
}) => Offer;

interface Outgoing {
  id: number;
  window: number;
  state: string;
}

/** A session (lib/server.js): its channel exists once its command was accepted. */
interface SessionParts {
  _channel: object | undefined;
  _ending: boolean;
  _chanInfo: { outgoing: Outgoing } | undefined;
}

/** A channel (lib/Channel.js), with what it still had to write when the window was used up. */
interface ChannelParts {
  outgoing: Outgoing;
  _readableState: { highWaterMark: number };
  _chunk: Buffer | undefined;
  _chunkcb: unknown;
  _chunkErr: Buffer | undefined;
  _chunkcbErr: unknown;
}

/** Below this, a channel's maximum packet size is an attack: at 0 ssh2 loops for ever on the first write. */
const SMALLEST_PACKET = 256;

/** Says why the installed ssh2 is not the one this file fits, or undefined when it is. */
export function checkInternals(): string | undefined {
  const require = createRequire(import.meta.url);
  const { version } = require('ssh2/package.json') as { version: string };
  if (version !== TESTED_VERSION) {
    return `ssh2 ${version} is installed, but gitmouth fits ssh2 ${TESTED_VERSION} exactly: run npm ci`;
  }
  return undefined;
}

/** Whether ssh2's native binding is there: without it ChaCha20 and GCM run several times slower. */
export function hasNativeBinding(): boolean {
  const require = createRequire(import.meta.url);
  try {
    require('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node');
    return true;
  } catch {
    return false;
  }
}

/** A connection of ssh2, with what its own surface lacks. */
export class Wire {
  readonly #client: Ssh2Connection;
  readonly #protocol: Protocol;
  readonly socket: Socket;

  /** To be called at once in ssh2's `connection` event, before anything but the identification line was handled. */
  constructor(client: Ssh2Connection) {
    this.#client = client;
    this.#protocol = (client as unknown as { _protocol: Protocol })._protocol;
    this.socket = socketOf(client);
    this.#refuseTinyPackets();
    this.#keepEarlyWindow();
    this.#answerLateRequests();
  }

  /** Bytes accepted for sending that the kernel has not taken: the socket's queue and the one during a key exchange. */
  queuedBytes(): number {
    const queue = this.#protocol._queue;
    const duringKeyExchange = queue === undefined ? 0 : queue.reduce((sum, packet) => sum + packet.length, 0);
    return this.socket.writableLength + duringKeyExchange;
  }

  /** Calls back each time a key exchange has ended and what was queued during it was handed to the socket. */
  onKeyExchanged(listener: () => void): void {
    this.#client.on('handshake', listener);
  }

  /**
   * Offers no host key algorithm but these. By itself ssh2 adds `ssh-rsa`, a SHA-1 signature, to whatever list a server
   * with an RSA host key was given. The KEXINIT goes out right after the `connection` event.
   */
  offerHostKeyAlgorithms(allowed: readonly string[]): void {
    const { lists, constructor } = this.#protocol._offer;
    const arrays = ({ cipher, mac, compress, lang }: typeof lists.cs): Direction => ({
      cipher: cipher.array,
      mac: mac.array,
      compress: compress.array,
      lang: lang.array,
    });
    this.#protocol._offer = new (constructor as NewOffer)({
      kex: lists.kex.array,
      serverHostKey: lists.serverHostKey.array.filter((name) => allowed.includes(name)),
      cs: arrays(lists.cs),
      sc: arrays(lists.cs),
    });
  }

  /**
   * Advertises exactly these signature algorithms (RFC 8308 3.1). ssh2's own list lacks a comma
   * (`ecdsa-sha2-nistp521rsa-sha2-512`), so that clients never use rsa-sha2-512, and it names SHA-1 and DSA.
   */
  advertiseSignatures(algorithms: readonly string[]): void {
    const original = this.#protocol._onHandshakeComplete;
    let isFirst = true;
    this.#protocol._onHandshakeComplete = (...args) => {
      const kex = this.#protocol._kex;
      const wanted = isFirst && kex?.remoteExtInfoEnabled === true;
      isFirst = false;
      if (kex !== undefined) kex.remoteExtInfoEnabled = false;
      // EXT_INFO must be the first message after NEWKEYS (RFC 8308 2.4), so it goes before `original` tells anybody.
      if (wanted) this.#send(signatureAlgorithmsMessage(algorithms));
      original(...args);
    };
  }

  /** Has each log-in request go through `gate`, which lets ssh2 handle it by calling `proceed`, at once or later. */
  gateLogins(gate: (proceed: () => void) => void): void {
    this.#wrap('USERAUTH_REQUEST', (original, args) => {
      gate(() => {
        this.#attempt(() => original(...args));
      });
    });
  }

  /** Shows text to a user who has not logged in yet. */
  banner(text: string): void {
    this.#attempt(() => this.#send(bannerMessage(text)));
  }

  /** Ends the connection with a reason and words. Nothing more is sent or listened to (RFC 4253 11.1). */
  disconnect(reason: number, words: string): void {
    this.#attempt(() => this.#sendNow(disconnectMessage(reason, words)));
    this.#protocol._handlers = {};
    this.socket.end();
  }

  /** Sends the end of data, then the exit status or signal, then the close of a channel, in this order. */
  finish(channel: ServerChannel, exit: { readonly code: number } | { readonly signal: string }): void {
    const { outgoing } = channel as unknown as ChannelParts;
    this.#attempt(() => {
      channel.eof();
      if (outgoing.state === 'eof') {
        if ('code' in exit) this.#protocol.exitStatus(outgoing.id, exit.code);
        else this.#send(exitSignalMessage(outgoing.id, exit.signal));
      }
      channel.close();
    });
  }

  #refuseTinyPackets(): void {
    this.#wrap('CHANNEL_OPEN', (original, args) => {
      const info = args[1] as { packetSize: number };
      if (info.packetSize < SMALLEST_PACKET) {
        this.disconnect(DISCONNECT.PROTOCOL_ERROR, `maximum packet size below ${SMALLEST_PACKET}`);
      } else original(...args);
    });
  }

  /** ssh2 forgets the window that a client grants between opening a session and its command. */
  #keepEarlyWindow(): void {
    this.#wrap('CHANNEL_WINDOW_ADJUST', (original, args) => {
      const [, recipient, amount] = args as [unknown, number, number];
      const session = this.#session(recipient);
      if (session?._chanInfo !== undefined && session._channel === undefined) {
        session._chanInfo.outgoing.window += amount;
      } else original(...args);
    });
  }

  /**
   * Once a command runs, or its input has ended, ssh2 leaves requests to its channel without the reply they ask for,
   * which RFC 4254 5.4 owes: a client that sends its keepalives that way takes this server for dead.
   */
  #answerLateRequests(): void {
    this.#wrap('CHANNEL_REQUEST', (original, args) => {
      const [protocol, recipient, type, wantReply, data] = args as [unknown, number, string, boolean, unknown];
      const session = this.#session(recipient);
      const isLate = session?._channel !== undefined || session?._ending === true;
      original(protocol, recipient, type, wantReply && !isLate, data);
      const outgoing = session?._chanInfo?.outgoing;
      if (!wantReply || !isLate || outgoing === undefined) return;
      if (outgoing.state === 'open' || outgoing.state === 'eof') this.#protocol.channelFailure(outgoing.id);
    });
  }

  #wrap(name: string, handle: (original: Handler, args: unknown[]) => void): void {
    const original = this.#protocol._handlers[name];
    if (original === undefined) throw new Error(`ssh2 has no handler for ${name}`);
    this.#protocol._handlers[name] = (...args) => {
      handle(original, args);
    };
  }

  #session(id: number): SessionParts | undefined {
    const parts = this.#client as unknown as { _chanMgr: { get(id: number): SessionParts | true | undefined } };
    const found = parts._chanMgr.get(id);
    return found === true ? undefined : found;
  }

  /** As ssh2 sends its own messages: behind a running key exchange, if there is one. */
  #send(payload: Buffer): void {
    if (this.#protocol._kexinit === undefined) {
      this.#sendNow(payload);
      return;
    }
    const { write } = this.#protocol._packetRW;
    const packet = write.alloc(payload.length);
    packet.set(payload, write.allocStart);
    (this.#protocol._queue ??= []).push(write.finalize(packet));
  }

  #sendNow(payload: Buffer): void {
    const { write } = this.#protocol._packetRW;
    const packet = write.alloc(payload.length, true);
    packet.set(payload, write.allocStartKEX);
    this.#protocol._cipher.encrypt(write.finalize(packet, true));
  }

  /** ssh2's protocol throws on every call once its connection is gone; there is nobody left to tell. */
  #attempt(action: () => void): void {
    if (this.socket.destroyed || !this.socket.writable) return;
    try {
      action();
    } catch {
      this.socket.destroy();
    }
  }
}

/** The session whose `exec` or `shell` was accepted already takes no second one; ssh2 has no public word for it. */
export function hasCommand(session: Ssh2Session): boolean {
  return (session as unknown as SessionParts)._channel !== undefined;
}

/**
 * Makes a channel take the client's window as the measure of what it may hold unread.
 *
 * By itself ssh2 opens the window anew as long as less than 2 MiB are unread, so that a client fills it twice before it
 * is stopped.
 */
export function boundUnread(channel: ServerChannel, bytes: number): void {
  (channel as unknown as ChannelParts)._readableState.highWaterMark = bytes;
}

/**
 * To be called after each write to a channel or its standard error was taken whole.
 *
 * ssh2 keeps what it could not write for want of window, and does not forget it once it has written it: at the next
 * stall it would write it a second time, into the middle of the stream.
 */
export function forgetWritten(channel: ServerChannel): void {
  const parts = channel as unknown as ChannelParts;
  parts._chunk = parts._chunkcb = parts._chunkErr = parts._chunkcbErr = undefined;
}

export function socketOf(client: Ssh2Connection): Socket {
  return (client as unknown as { _sock: Socket })._sock;
}

/** Hands an accepted socket to ssh2's server. */
export function injectSocket(server: ssh2.Server, socket: Socket): void {
  (server as unknown as { injectSocket(socket: Socket): void }).injectSocket(socket);
}
