/**
 * The only file that touches ssh2's private parts. Everything else in this folder works on the typed surface below.
 *
 * It fits exactly ssh2 1.17.0, which package.json pins; `checkInternals` refuses to start on anything else.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type ssh2 from 'ssh2';
import { type Connection as Ssh2Connection, type ServerChannel, type Session as Ssh2Session } from 'ssh2';

const TESTED_VERSION = '1.17.0';

/** The parts of ssh2's Protocol (lib/protocol/Protocol.js) that are used. */
interface Protocol {
  _kexinit: unknown;
  _queue: Uint8Array[] | undefined;
  _kex: { remoteExtInfoEnabled?: boolean; sessionID?: Uint8Array } | undefined;
  _cipher: { encrypt(packet: Buffer): void };
  _packetRW: {
    write: {
      allocStart: number;
      allocStartKEX: number;
      alloc(length: number, force?: boolean): Buffer;
      finalize(packet: Buffer, force?: boolean): Buffer;
    };
  };
  _handlers: Record<string, ((...args: unknown[]) => void) | undefined>;
  _onHandshakeComplete: (...args: unknown[]) => void;
  exitStatus(channel: number, code: number): void;
}

interface ChannelInfo {
  outgoing: { id: number; packetSize: number; state: string };
}

const MESSAGE = { DISCONNECT: 1, EXT_INFO: 7, USERAUTH_BANNER: 53, CHANNEL_REQUEST: 98 } as const;

/** Disconnect reasons of RFC 4253 11.1 that are used. */
export const DISCONNECT = { PROTOCOL_ERROR: 2, SERVICE_NOT_AVAILABLE: 7, BY_APPLICATION: 11 } as const;

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
      if (wanted) {
        this.#send(message(MESSAGE.EXT_INFO, uint32(1), string('server-sig-algs'), string(algorithms.join(','))));
      }
      original(...args);
    };
  }

  /** Shows text to a user who has not logged in yet (RFC 4252 5.4). */
  banner(text: string): void {
    this.#attempt(() => this.#send(message(MESSAGE.USERAUTH_BANNER, string(text), string(''))));
  }

  /** Ends the connection with a reason and words (RFC 4253 11.1). */
  disconnect(reason: number, text: string): void {
    this.#attempt(() => this.#sendNow(message(MESSAGE.DISCONNECT, uint32(reason), string(text), string(''))));
    this.socket.end();
  }

  /** Sends the end of data, then the exit status or signal, then the close of a channel, in this order. */
  finish(channel: ServerChannel, exit: { readonly code: number } | { readonly signal: string }): void {
    const { outgoing } = channel as unknown as ChannelInfo;
    this.#attempt(() => {
      channel.eof();
      if (outgoing.state === 'eof') {
        if ('code' in exit) this.#protocol.exitStatus(outgoing.id, exit.code);
        else this.#send(exitSignal(outgoing.id, exit.signal));
      }
      channel.close();
    });
  }

  #refuseTinyPackets(): void {
    const original = this.#protocol._handlers['CHANNEL_OPEN'];
    this.#protocol._handlers['CHANNEL_OPEN'] = (...args) => {
      const info = args[1] as { packetSize: number };
      if (info.packetSize < SMALLEST_PACKET) {
        this.disconnect(DISCONNECT.PROTOCOL_ERROR, `maximum packet size below ${SMALLEST_PACKET}`);
        return;
      }
      original?.(...args);
    };
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
  return (session as unknown as { _channel: unknown })._channel !== undefined;
}

export function socketOf(client: Ssh2Connection): Socket {
  return (client as unknown as { _sock: Socket })._sock;
}

/** Hands an accepted socket to ssh2's server. */
export function injectSocket(server: ssh2.Server, socket: Socket): void {
  (server as unknown as { injectSocket(socket: Socket): void }).injectSocket(socket);
}

function message(type: number, ...parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([type]), ...parts]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** RFC 4254 6.10; names beyond the RFC's carry a domain, as OpenSSH does. */
function exitSignal(channel: number, signal: string): Buffer {
  const name = RFC_SIGNALS.includes(signal) ? signal : `${signal}@openssh.com`;
  const wantReply = Buffer.from([0]);
  const coreDumped = Buffer.from([0]);
  return message(
    MESSAGE.CHANNEL_REQUEST,
    uint32(channel),
    string('exit-signal'),
    wantReply,
    string(name),
    coreDumped,
    string(''),
    string(''),
  );
}

const RFC_SIGNALS: readonly string[] = [
  'ABRT',
  'ALRM',
  'FPE',
  'HUP',
  'ILL',
  'INT',
  'KILL',
  'PIPE',
  'QUIT',
  'SEGV',
  'TERM',
  'USR1',
  'USR2',
];
