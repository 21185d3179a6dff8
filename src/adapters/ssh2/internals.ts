/**
 * The file that touches ssh2's private parts, with `added-exchange.ts`, which it uses. Everything else in this folder
 * works on the typed surface below.
 *
 * It fits exactly one ssh2, which package.json pins and `checkInternals` recognises.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type ssh2 from 'ssh2';
import type { Connection as Ssh2Connection, ServerChannel, Session as Ssh2Session } from 'ssh2';
import type { Negotiated } from '../../domain/negotiated.js';
import { addExchange, type KeyExchangeMethod } from './added-exchange.js';
import { readKeyRequest } from './key-request.js';
import { bannerMessage, disconnectMessage, exitSignalMessage, extensionsMessage, MESSAGE } from './messages.js';
import type { ChannelParts, ClientParts, ConnectionParts, NewOffer, Protocol, SessionParts } from './ssh2-parts.js';

/** What ssh2 has understood of a message, before it acts on it. */
export interface Understood {
  USERAUTH_REQUEST: readonly [user: string, service: string, method: string, details: unknown];
  GLOBAL_REQUEST: readonly [name: string, wantReply: boolean, data: unknown];
  CHANNEL_OPEN: readonly [{ readonly type: string; readonly sender: number; readonly packetSize: number }];
  CHANNEL_DATA: readonly [channel: number, data: Buffer];
  CHANNEL_EXTENDED_DATA: readonly [channel: number, data: Buffer];
  CHANNEL_WINDOW_ADJUST: readonly [channel: number, bytes: number];
  CHANNEL_REQUEST: readonly [channel: number, type: string, wantReply: boolean, data: unknown];
  CHANNEL_CLOSE: readonly [channel: number];
}

/** A session channel as far as its state is concerned; `channel` numbers are ours. */
export interface SessionState {
  /** Its command was accepted. */
  readonly isRunning: boolean;
  /** The client has ended its input. */
  readonly isEnding: boolean;
  /** What the client may still send. */
  readonly incoming: { readonly id: number; window: number };
  /** What may still be sent to it; `isOpen` until we have closed our side. */
  readonly outgoing: { readonly id: number; window: number; readonly isOpen: boolean };
}

/** The window that ssh2 grants and renews (lib/Channel.js). */
const FULL_WINDOW = 2 * 1024 ** 2;

/** ssh2's own object for a connection. */
interface Emitting {
  on(event: 'handshake', listener: () => void): unknown;
}

/** A connection of ssh2, in either role, with what its own surface lacks. */
export abstract class Wire {
  readonly socket: Socket;
  protected readonly protocol: Protocol;
  readonly #connection: Emitting;
  readonly #gates: ((type: number, payload: Buffer) => boolean)[] = [];
  readonly #sentListeners: ((bytes: number) => void)[] = [];
  readonly #words: (reason: number) => string;
  #keyExchangeQueue: CountingQueue | undefined;
  #isOver = false;

  protected constructor(connection: Emitting, words: (reason: number) => string) {
    const parts = connection as ConnectionParts & Emitting;
    this.#connection = connection;
    this.protocol = parts._protocol;
    this.socket = parts._sock;
    this.#words = words;
    this.#watchMessages();
    this.#watchOutput();
    this.#countQueue();
    this.#giveWords();
  }

  abstract get isAuthenticated(): boolean;

  /** From our KEXINIT to the peer's NEWKEYS. */
  get isExchangingKeys(): boolean {
    return this.protocol._kexinit !== undefined;
  }

  /** Bytes accepted for sending that the kernel has not taken: the socket's queue and the one during a key exchange. */
  get queuedBytes(): number {
    return this.socket.writableLength + (this.#keyExchangeQueue?.bytes ?? 0);
  }

  /**
   * Shows each message since the first key exchange to `gate`, before ssh2 handles it; what it answers `false` to is
   * dropped. Messages within a key exchange, but for the KEXINIT that begins it, are not among them: ssh2 takes nothing
   * there that does not belong.
   */
  onMessage(gate: (type: number, payload: Buffer) => boolean): void {
    this.#gates.push(gate);
  }

  /** Tells of all bytes handed to the socket since the first key exchange, and of what was queued meanwhile. */
  onSent(listener: (bytes: number) => void): void {
    this.#sentListeners.push(listener);
  }

  /** Calls back each time a key exchange has ended and what was queued during it was handed to the socket. */
  onKeyExchanged(listener: () => void): void {
    this.#connection.on('handshake', listener);
  }

  /** What the exchange of the keys in use agreed on; undefined before the first. */
  get negotiated(): Negotiated | undefined {
    const agreed = this.protocol._kex?.negotiated;
    return (
      agreed && {
        keyExchange: agreed.kex,
        hostKey: agreed.serverHostKey,
        cipherIn: agreed.cs.cipher,
        cipherOut: agreed.sc.cipher,
        isStrict: this.protocol._strictMode === true,
      }
    );
  }

  /** What signatures over this connection are bound to (RFC 4253 7.2); undefined before the first key exchange. */
  get sessionId(): Buffer | undefined {
    return this.protocol._kex?.sessionID;
  }

  /**
   * Exchanges keys by this method where the peer can, and likes it best. To be called at once: the KEXINIT goes out when
   * the peer's identification line has come.
   */
  addKeyExchange(method: KeyExchangeMethod): void {
    this.offer({ kex: [method.name, ...this.protocol._offer.lists.kex.array] });
    addExchange(this.protocol, method);
  }

  /** Begins a key exchange, unless one is under way. Not to be called from within `onSent`. */
  rekey(): void {
    this.attempt(() => {
      this.protocol.rekey();
    });
  }

  /** Has `handle` decide what becomes of a message that ssh2 has understood; `proceed` lets ssh2 act on it. */
  intercept<Name extends keyof Understood>(
    name: Name,
    handle: (proceed: (...args: Understood[Name]) => void, ...args: Understood[Name]) => void,
  ): void {
    const original = this.protocol._handlers[name];
    if (original === undefined) throw new Error(`ssh2 has no handler for ${name}`);
    this.protocol._handlers[name] = (protocol, ...args) => {
      const proceed = (...changed: Understood[Name]) => {
        if (!this.#isOver) original(protocol, ...changed, ...args.slice(changed.length));
      };
      handle(proceed, ...(args as unknown as Understood[Name]));
    };
  }

  /** Ends the connection with a reason and words. Nothing more is sent, and nothing listened to (RFC 4253 11.1). */
  disconnect(reason: number, words: string): void {
    if (this.#isOver) return;
    this.attempt(() => {
      this.#sendNow(disconnectMessage(reason, words));
    });
    this.ignoreInput();
    this.socket.end();
  }

  /**
   * Nothing that comes from now on is looked at. To be called once ssh2 has told of an error: it would read on, and
   * take a packet whose length it has just refused into a buffer of that length, of up to 2 GiB.
   */
  ignoreInput(): void {
    this.#isOver = true;
    this.protocol._handlers = {};
    // Read and dropped: bytes left unread would have the kernel reset the connection, and the last words with it.
    this.socket.removeAllListeners('data');
    this.socket.resume();
  }

  /** Offers what it did, but for these lists; ssh2 makes the offer's bytes when it is made. */
  protected offer(changed: Partial<Record<'kex' | 'serverHostKey', readonly string[]>>): void {
    const { lists, constructor } = this.protocol._offer;
    const { cipher, mac, compress, lang } = lists.cs;
    const both = { cipher: cipher.array, mac: mac.array, compress: compress.array, lang: lang.array };
    this.protocol._offer = new (constructor as NewOffer)({
      kex: lists.kex.array,
      serverHostKey: lists.serverHostKey.array,
      cs: both,
      sc: both,
      ...changed,
    });
  }

  /** Sends a message that ssh2 has no part in, behind a running key exchange, if there is one. */
  post(payload: Buffer): void {
    this.attempt(() => {
      this.send(payload);
    });
  }

  /** As ssh2 sends its own messages: behind a running key exchange, if there is one. */
  protected send(payload: Buffer): void {
    if (!this.isExchangingKeys) {
      this.#sendNow(payload);
      return;
    }
    const { write } = this.protocol._packetRW;
    const packet = write.alloc(payload.length);
    packet.set(payload, write.allocStart);
    this.protocol._queue ??= [];
    this.protocol._queue.push(write.finalize(packet));
  }

  #sendNow(payload: Buffer): void {
    const { write } = this.protocol._packetRW;
    const packet = write.alloc(payload.length, true);
    packet.set(payload, write.allocStartKEX);
    this.protocol._cipher.encrypt(write.finalize(packet, true));
  }

  /** ssh2's protocol throws on every call once its connection is gone; there is nobody left to tell. */
  protected attempt(action: () => void): void {
    if (this.#isOver || this.socket.destroyed || !this.socket.writable) return;
    try {
      action();
    } catch {
      this.socket.destroy();
    }
  }

  /** ssh2 ends what it can't go on with by a number alone, and can say nothing more afterwards. */
  #giveWords(): void {
    this.protocol.disconnect = (reason) => {
      this.#sendNow(disconnectMessage(reason, this.#words(reason)));
      this.#isOver = true;
    };
  }

  /** ssh2 hands `_onPayload` to each new decipher (lib/protocol/kex.js), so this sees everything after NEWKEYS. */
  #watchMessages(): void {
    const original = this.protocol._onPayload.bind(this.protocol);
    this.protocol._onPayload = (payload) => {
      if (this.#isOver) return undefined;
      const type = payload[0];
      if (type !== undefined && !this.#gates.every((gate) => gate(type, payload))) return undefined;
      const next = original(payload);
      // What was answered during a key exchange went to its queue and not through `_onWrite`.
      if (this.isExchangingKeys) this.#sent(0);
      return next;
    };
  }

  /** As above, `_onWrite` is what each new cipher writes to. */
  #watchOutput(): void {
    const original = this.protocol._onWrite;
    this.protocol._onWrite = (bytes) => {
      original(bytes);
      this.#sent(bytes.length);
    };
  }

  #sent(bytes: number): void {
    for (const listener of this.#sentListeners) listener(bytes);
  }

  /** Counts what waits for the end of a key exchange as it comes, since counting it over and over would take for ever. */
  #countQueue(): void {
    Object.defineProperty(this.protocol, '_queue', {
      get: () => this.#keyExchangeQueue,
      set: (queue: readonly Uint8Array[] | undefined) => {
        this.#keyExchangeQueue = queue === undefined ? undefined : new CountingQueue();
        for (const packet of queue ?? []) this.#keyExchangeQueue?.push(packet);
      },
    });
  }
}

/** A client's connection to ssh2's server. */
export class ServerWire extends Wire {
  readonly #client: ClientParts & Ssh2Connection;
  /** Sides of channels whose full window may be granted. */
  readonly #opened = new WeakSet<object>();
  readonly #firstWindow: number;

  /**
   * To be called at once in ssh2's `connection` event, before anything but the identification line was handled.
   * @param firstWindow what a client may send over a session before somebody reads it, in bytes.
   * @param words for the disconnects that ssh2 sends by itself, by their reason (RFC 4253 11.1).
   */
  constructor(client: Ssh2Connection, firstWindow: number, words: (reason: number) => string) {
    super(client, words);
    this.#client = client as ClientParts & Ssh2Connection;
    this.#firstWindow = firstWindow;
    this.#boundWindows();
  }

  override get isAuthenticated(): boolean {
    return this.#client.authenticated;
  }

  /** Sessions that are open or being opened, with or without a command. */
  get openSessions(): number {
    return this.#client._chanMgr._count;
  }

  /** Whether the client has a session open under this number of its own. */
  isOpenAtClient(number: number): boolean {
    return this.#sessionsAtClient(number).length > 0;
  }

  /**
   * Has each log-in request go through `gate`, which lets ssh2 handle it by calling `proceed`, at once or later. What
   * asks with a key is handed on as it was sent: the context's algorithm and signature are whole, and there is no hash.
   */
  gateLogins(gate: (proceed: () => void) => void): void {
    let request: Buffer | undefined;
    this.onMessage((type, payload) => {
      if (type === MESSAGE.USERAUTH_REQUEST) request = payload;
      return true;
    });
    // ssh2 calls back within its handling of the message.
    this.intercept('USERAUTH_REQUEST', (proceed, user, service, method, details) => {
      const sessionId = this.protocol._kex?.sessionID;
      if (request === undefined || sessionId === undefined) throw new Error('a log-in request that nobody sent');
      const sent = method === 'publickey' ? readKeyRequest(request, sessionId) : details;
      request = undefined;
      gate(() => {
        this.attempt(() => {
          proceed(user, service, method, sent);
        });
      });
    });
  }

  /**
   * Offers no host key algorithm but these. By itself ssh2 adds `ssh-rsa`, a SHA-1 signature, to whatever list a server
   * with an RSA host key was given. The KEXINIT goes out right after the `connection` event.
   */
  offerHostKeyAlgorithms(allowed: readonly string[]): void {
    const { array } = this.protocol._offer.lists.serverHostKey;
    this.offer({ serverHostKey: array.filter((name) => allowed.includes(name)) });
  }

  /**
   * Advertises exactly these extensions (RFC 8308). ssh2's own `server-sig-algs` lacks a comma
   * (`ecdsa-sha2-nistp521rsa-sha2-512`), so that clients never use rsa-sha2-512, and it names SHA-1 and DSA.
   * @param extensions values by their names.
   */
  advertise(extensions: Readonly<Record<string, string>>): void {
    const original = this.protocol._onHandshakeComplete;
    let isFirst = true;
    this.protocol._onHandshakeComplete = (...args) => {
      const kex = this.protocol._kex;
      const wanted = isFirst && kex?.remoteExtInfoEnabled === true;
      isFirst = false;
      if (kex !== undefined) kex.remoteExtInfoEnabled = false;
      // EXT_INFO must be the first message after NEWKEYS (RFC 8308 2.4), so it goes before `original` tells anybody.
      if (wanted) this.send(extensionsMessage(extensions));
      original(...args);
    };
  }

  /**
   * A client may send the first message of a key exchange along with its KEXINIT, guessing what will be agreed on
   * (RFC 4253 7), as dropbear does. ssh2 compares the guess with the wrong thing and drops each one, so that a client
   * whose guess was right waits for an answer for ever.
   */
  keepRightGuesses(): void {
    let isGuess = false;
    Object.defineProperty(this.protocol, '_skipNextInboundPacket', {
      // Read once for each message of a key exchange; the next one is no guess any more.
      get: () => {
        const isWrong = isGuess && !this.#isGuessRight();
        isGuess = false;
        return isWrong;
      },
      set: (follows: boolean) => {
        isGuess = follows;
      },
    });
  }

  /** Shows text to a user who has not logged in yet. */
  banner(text: string): void {
    this.post(bannerMessage(text));
  }

  /** A session by our number of it; undefined when there is none. */
  session(id: number): SessionState | undefined {
    const found = this.#client._chanMgr.get(id);
    return found === undefined || found === true ? undefined : stateOf(found);
  }

  /** Refuses to open a channel (RFC 4254 5.1). @param channel the client's number of it. */
  refuseChannel(channel: number, reason: number, words: string): void {
    this.attempt(() => {
      this.protocol.channelOpenFail(channel, reason, words);
    });
  }

  /** Answers a channel request with a no (RFC 4254 5.4). */
  failRequest(channel: number): void {
    this.attempt(() => {
      this.protocol.channelFailure(channel);
    });
  }

  /** Closes a session that never had a command, and forgets it. */
  closeSession(session: SessionState): void {
    this.#client._chanMgr.remove(session.incoming.id);
    this.attempt(() => {
      this.protocol.channelClose(session.outgoing.id);
    });
  }

  /** Somebody reads what comes over this channel: from now on the full window is granted and renewed. */
  openWindow(channel: ServerChannel): void {
    const { incoming, outgoing } = channel as unknown as ChannelParts;
    this.#opened.add(incoming);
    const bytes = FULL_WINDOW - incoming.window;
    if (bytes <= 0 || outgoing.state === 'closed') return;
    incoming.window += bytes;
    this.attempt(() => {
      this.protocol.channelWindowAdjust(outgoing.id, bytes);
    });
  }

  /** Sends the end of data, then the exit status or signal, then the close of a channel, in this order. */
  finish(channel: ServerChannel, exit: { readonly code: number } | { readonly signal: string }): void {
    const { outgoing } = channel as unknown as ChannelParts;
    this.attempt(() => {
      channel.eof();
      if (outgoing.state === 'eof') {
        if ('code' in exit) this.protocol.exitStatus(outgoing.id, exit.code);
        else this.send(exitSignalMessage(outgoing.id, exit.signal));
      }
      channel.close();
    });
  }

  /**
   * ssh2 grants each channel 2 MiB, and as much again as soon as that is in its own buffer: held here for every session
   * that waits for something. This grants little, until `openWindow`.
   */
  #boundWindows(): void {
    const protocol = this.protocol;
    const confirm = protocol.channelOpenConfirm.bind(protocol);
    protocol.channelOpenConfirm = (remote, local, window, packetSize) => {
      const session = this.#client._chanMgr.get(local);
      if (session === undefined || session === true) {
        confirm(remote, local, window, packetSize);
        return;
      }
      session._chanInfo.incoming.window = this.#firstWindow;
      confirm(remote, local, this.#firstWindow, packetSize);
    };
    const adjust = protocol.channelWindowAdjust.bind(protocol);
    protocol.channelWindowAdjust = (remote, bytes) => {
      for (const { _chanInfo: sides } of this.#sessionsAtClient(remote)) {
        if (this.#opened.has(sides.incoming)) adjust(remote, bytes);
        // ssh2 counts the window as granted before it says so.
        else sides.incoming.window -= bytes;
      }
    };
  }

  #sessionsAtClient(number: number): readonly SessionParts[] {
    const sessions = Object.values(this.#client._chanMgr._channels).filter((session) => session !== true);
    return sessions.filter((session) => session._chanInfo.outgoing.id === number);
  }

  /** Only what both sides like best is guessed right (RFC 4253 7). */
  #isGuessRight(): boolean {
    const { _kex: exchange, _offer: offer } = this.protocol;
    if (exchange === undefined) return false;
    const { kex, hostKey } = preferredOf(exchange._remoteKexinit);
    return kex === offer.lists.kex.array[0] && hostKey === offer.lists.serverHostKey.array[0];
  }
}

/** Our connection to somebody else's SSH server, which is no more to be trusted than a client of ours. */
export class ClientWire extends Wire {
  /** To be called at once after ssh2's client was told to connect. */
  constructor(client: ssh2.Client, words: (reason: number) => string) {
    super(client, words);
  }

  override get isAuthenticated(): boolean {
    return this.protocol._authenticated;
  }
}

class CountingQueue extends Array<Uint8Array> {
  bytes = 0;

  override push(...packets: Uint8Array[]): number {
    for (const packet of packets) this.bytes += packet.length;
    return super.push(...packets);
  }
}

/** What the sender of a KEXINIT likes best: the first names of its first two lists (RFC 4253 7.1). */
function preferredOf(kexinit: Buffer): { readonly kex: string | undefined; readonly hostKey: string | undefined } {
  const COOKIE_END = 17;
  const names = (at: number) => kexinit.toString('latin1', at + 4, at + 4 + kexinit.readUInt32BE(at));
  const hostKeysAt = COOKIE_END + 4 + kexinit.readUInt32BE(COOKIE_END);
  return { kex: names(COOKIE_END).split(',')[0], hostKey: names(hostKeysAt).split(',')[0] };
}

function stateOf(session: SessionParts): SessionState {
  const { incoming, outgoing } = session._chanInfo;
  return {
    isRunning: session._channel !== undefined,
    isEnding: session._ending,
    incoming,
    outgoing: {
      id: outgoing.id,
      isOpen: outgoing.state === 'open' || outgoing.state === 'eof',
      get window() {
        return outgoing.window;
      },
      set window(bytes) {
        outgoing.window = bytes;
      },
    },
  };
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

/** The largest packet that the client takes over this channel, in bytes of data. */
export function packetSizeOf(channel: ServerChannel): number {
  return (channel as unknown as ChannelParts).outgoing.packetSize;
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

/** Why ssh2 gives a connection up; undefined where it is the client who ended it, or lost it. */
export function reasonOfError(error: Error): 'keepalive-timeout' | 'no-keys-agreed' | 'broken-protocol' | undefined {
  const { level, code } = error as Error & { readonly level?: string; readonly code?: unknown };
  if (level === 'client-timeout') return 'keepalive-timeout';
  if (level === 'handshake') return 'no-keys-agreed';
  // The reason of the client's own disconnect message, as its number.
  const isClientsWord = typeof code === 'number';
  return level === 'socket' || isClientsWord ? undefined : 'broken-protocol';
}

export function socketOf(client: Ssh2Connection): Socket {
  return (client as unknown as ClientParts)._sock;
}

/**
 * Hands an accepted socket to ssh2's server.
 * @param before has what comes from the client first, and lets ssh2 see of it what it hands on, at once or later.
 */
export function injectSocket(server: ssh2.Server, socket: Socket, before: InputFilter): void {
  filterInput(socket, before);
  (server as unknown as { injectSocket(socket: Socket): void }).injectSocket(socket);
}

export type InputFilter = (bytes: Buffer, handOn: (bytes: Buffer) => void) => void;

/** Puts `before` between a socket and ssh2, which reads by one listener that it puts on when its cryptography is ready. */
export function filterInput(socket: Socket, before: InputFilter): void {
  type On = (event: string, listener: (bytes: Buffer) => void) => Socket;
  const on = socket.on.bind(socket) as On;
  const filtered =
    (read: (bytes: Buffer) => void) =>
    (bytes: Buffer): void => {
      before(bytes, read);
    };
  const filtering: On = (event, listener) => on(event, event === 'data' ? filtered(listener) : listener);
  Object.assign(socket, { on: filtering });
}
