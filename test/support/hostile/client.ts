/**
 * An SSH client that does whatever a test wants, well or badly, and shares no code with ssh2: the handshake by itself,
 * then any message, any bytes, at any time.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../contracts/contract.js';
import {
  boolean,
  channelRequest,
  MESSAGE,
  message,
  named,
  openSession,
  proof,
  Reader,
  signedData,
  string,
  type KeyRequest,
} from '../ssh-bytes.js';
import { Curve25519, isStrict, kexInit, type Offer } from './key-exchange.js';
import { openerOf, sealerOf, type Opener } from './packets.js';
import { HostileWire, type DialOptions } from './wire.js';

const IDENTIFICATION = 'SSH-2.0-hostile';
/** Messages that are handed to the socket at once in a flood. */
const FLOOD_BATCH = 64;

/** An Ed25519 key. */
export interface Signer {
  readonly blob: Buffer;
  sign(data: Buffer): Buffer;
}

export interface Turned {
  readonly reason: number;
  readonly words: string;
}

export class HostileClient {
  /** Key exchanges that were completed. */
  exchanges = 0;
  /** Whether the server's KEXINIT is left without an answer. */
  isDeafToKeyExchange = true;
  /** Sees each message first; those it says true to are not kept. */
  consume: (payload: Buffer) => boolean = () => false;
  readonly #wire: HostileWire;
  #identification = IDENTIFICATION;
  #sessionId: Buffer | undefined;
  #isStrict = false;
  /** The exchange that is under way. */
  #mine: Buffer | undefined;
  #theirs: Buffer | undefined;
  #opener: Opener | undefined;
  #curve = new Curve25519();

  private constructor(wire: HostileWire) {
    this.#wire = wire;
    this.localPort = wire.socket.localPort;
    wire.onPayload = (payload) => {
      this.#exchange(payload);
      return !this.consume(payload);
    };
  }

  /** Connects, and says nothing. */
  static async dial(port: number, options: DialOptions = {}): Promise<HostileClient> {
    return new HostileClient(await HostileWire.dial(port, options));
  }

  /** Connects and exchanges keys, as any client. */
  static async connect(port: number, options: DialOptions & { readonly offer?: Partial<Offer> } = {}) {
    const client = await HostileClient.dial(port, options);
    client.identify();
    await client.exchangeKeys(options.offer);
    return client;
  }

  /** Connects and logs in, as any client. */
  static async logIn(port: number, key: Signer, options: Parameters<typeof HostileClient.connect>[1] = {}) {
    const client = await HostileClient.connect(port, options);
    client.requestService();
    client.prove({ algorithm: 'ssh-ed25519', blob: key.blob }, key);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    return client;
  }

  get socket(): Socket {
    return this.#wire.socket;
  }

  /** Kept, as a closed socket forgets it. */
  readonly localPort: number | undefined;

  get isClosed(): boolean {
    return this.#wire.isClosed;
  }

  /** All messages that were kept, in order. */
  get received(): readonly Buffer[] {
    return this.#wire.received;
  }

  get serverIdentification(): string | undefined {
    return this.#wire.identification;
  }

  get sessionId(): Buffer {
    if (this.#sessionId === undefined) throw new Error('no keys were exchanged yet');
    return this.#sessionId;
  }

  /** Sends bytes as they are. */
  raw(bytes: Buffer | string): void {
    this.#wire.raw(bytes);
  }

  /** Sends messages, each in a packet of its own, all in one write. */
  send(...payloads: readonly Buffer[]): void {
    this.#wire.send(...payloads);
  }

  /** A packet that is counted as sent, for a test that cuts it up. */
  sealed(payload: Buffer): Buffer {
    return this.#wire.sealed(payload);
  }

  /** RFC 4253 4.2 */
  identify(line = IDENTIFICATION): void {
    this.knownAs(line);
    this.raw(`${line}\r\n`);
  }

  /** For a test that sends its line in its own way: both sides hash it. */
  knownAs(line: string): void {
    this.#identification = line;
  }

  /** Exchanges keys, for the first time or again; resolves when both sides use the new ones. */
  async exchangeKeys(offer: Partial<Offer> = {}): Promise<void> {
    this.beginKeyExchange(offer);
    await this.goOnExchangingKeys();
  }

  /** Sends a KEXINIT. What follows upon the server's is left to `isDeafToKeyExchange`. */
  beginKeyExchange(offer: Partial<Offer> = {}): void {
    this.raw(this.sealedKexInit(offer));
  }

  /** As `beginKeyExchange`, for a test that sends it in its own way. */
  sealedKexInit(offer: Partial<Offer> = {}): Buffer {
    this.#mine = kexInit(offer);
    this.#curve = new Curve25519();
    return this.sealed(this.#mine);
  }

  /** To the end of the exchange that was begun. */
  async goOnExchangingKeys(): Promise<void> {
    const due = this.exchanges + 1;
    this.isDeafToKeyExchange = false;
    if (this.#theirs !== undefined) this.send(this.#curve.initMessage());
    await until(() => this.exchanges >= due || this.isClosed, 'keys are exchanged');
    if (this.exchanges < due) throw new Error('closed during the key exchange');
  }

  /** RFC 4253 10 */
  requestService(name = 'ssh-userauth'): void {
    this.send(message(MESSAGE.SERVICE_REQUEST, string(name)));
  }

  /** Sends a log-in request with the signature that belongs to it (RFC 4252 7). */
  prove(request: KeyRequest, key: Signer): void {
    const signature = key.sign(signedData(this.sessionId, request));
    this.send(proof(request, named(request.algorithm, signature)));
  }

  next(...types: readonly number[]): Promise<Buffer> {
    return this.#wire.next(...types);
  }

  count(type: number): number {
    return this.#wire.count(type);
  }

  /** Opens a session channel. @returns the server's number of it. */
  async open(channel = 0, options: Parameters<typeof openSession>[1] = {}): Promise<number> {
    this.send(openSession(channel, options));
    const confirmation = new Reader(await this.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION));
    confirmation.uint32();
    return confirmation.uint32();
  }

  /** Begins a command on a channel of the server's number. */
  async exec(theirs: number, command = 'run'): Promise<void> {
    this.send(channelRequest(theirs, 'exec', true, string(command)));
    await this.next(MESSAGE.CHANNEL_SUCCESS);
  }

  /** A global request that wants a reply (RFC 4254 4). */
  static globalRequest(name = 'keepalive@openssh.com'): Buffer {
    return message(MESSAGE.GLOBAL_REQUEST, string(name), boolean(true));
  }

  /** Sends a message over and over, as fast as the server's socket takes it, until enough was sent or it is closed. */
  async flood(make: () => Buffer, count = Infinity): Promise<void> {
    for (let sent = 0; sent < count && !this.isClosed;) {
      const batch = Array.from({ length: Math.min(FLOOD_BATCH, count - sent) }, make);
      this.send(...batch);
      sent += batch.length;
      await new Promise((resolve) => setImmediate(resolve));
      while (this.socket.writableNeedDrain && !this.isClosed) await sleep(1);
    }
  }

  /** Stops reading, so that the server's output stays in its hands. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Reads on and looks at nothing any more: the cheapest way to keep a server busy. */
  discard(): void {
    this.#wire.discard();
  }

  /** With which reason and words the server ends the connection. */
  async turnedAway(): Promise<Turned> {
    const disconnect = new Reader(await this.next(MESSAGE.DISCONNECT));
    const turned = { reason: disconnect.uint32(), words: disconnect.text() };
    await this.closed();
    return turned;
  }

  closed(limitMs?: number): Promise<void> {
    return this.#wire.closed(limitMs);
  }

  close(): Promise<void> {
    return this.#wire.close();
  }

  #exchange(payload: Buffer): void {
    switch (payload[0]) {
      case MESSAGE.KEXINIT:
        this.#theirs = payload;
        if (this.isDeafToKeyExchange) return;
        if (this.#mine === undefined) this.beginKeyExchange();
        this.send(this.#curve.initMessage());
        return;
      case MESSAGE.KEX_ECDH_REPLY:
        this.#takeKeys(payload);
        return;
      case MESSAGE.NEWKEYS:
        if (this.#opener !== undefined) this.#wire.openBy(this.#opener, this.#isStrict);
        this.#mine = this.#theirs = this.#opener = undefined;
        this.exchanges += 1;
        return;
      default:
    }
  }

  /** Ours go out by the new keys at once, the server's come by them after its NEWKEYS, which follows its reply. */
  #takeKeys(reply: Buffer): void {
    const [mine, theirs] = [this.#mine, this.#theirs];
    if (mine === undefined || theirs === undefined) throw new Error('a reply to no key exchange of this client');
    const identifications = [this.#identification, this.#wire.identification ?? ''] as const;
    const keys = this.#curve.finish(reply, { identifications, inits: [mine, theirs] }, this.#sessionId);
    if (this.#sessionId === undefined) this.#isStrict = isStrict(mine, theirs);
    this.#sessionId ??= keys.hash;
    this.send(message(MESSAGE.NEWKEYS));
    this.#wire.sealBy(sealerOf(keys.toServer), this.#isStrict);
    this.#opener = openerOf(keys.toClient);
  }
}
