/** A TCP connection that speaks SSH packets, with a say over every byte of it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../src/contracts/contract.js';
import { PLAIN, type Opener, type Sealer } from './packets.js';

/** Messages that are handed to the socket at once in a flood. */
const FLOOD_BATCH = 64;

export interface DialOptions {
  readonly host?: string;
  /** The address to come from: on Linux the whole of 127/8 is this machine's own. */
  readonly from?: string;
  /** What is sent before everything else: the header of a proxy, say. */
  readonly header?: Buffer;
  /** Leaves our side open when the server ends its own. */
  readonly allowHalfOpen?: boolean;
}

export class HostileWire {
  /** All messages of the server that were kept, in order. */
  readonly received: Buffer[] = [];
  /** Sees each message first; those it says true to are not kept. */
  consume: (payload: Buffer) => boolean = () => false;
  /** The server's line, without its end (RFC 4253 4.2). */
  serverIdentification: string | undefined;
  isClosed = false;
  /** Kept, as a closed socket forgets it. */
  readonly localPort: number | undefined;
  readonly #sequence = { in: 0, out: 0 };
  #sealer: Sealer = PLAIN;
  #opener: Opener = PLAIN;
  #unread: Buffer = Buffer.alloc(0);
  #read = 0;

  constructor(readonly socket: Socket) {
    this.localPort = socket.localPort;
    socket.on('data', (chunk) => {
      this.#take(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.isClosed = true));
  }

  /** Connects, and sends nothing but the header, if there is one. */
  static async dial<Wire>(
    this: new (socket: Socket) => Wire,
    port: number,
    { host = '127.0.0.1', from, header, allowHalfOpen = false }: DialOptions = {},
  ): Promise<Wire> {
    const source = from === undefined ? {} : { localAddress: from };
    const socket = connect({ host, port, noDelay: true, allowHalfOpen, ...source });
    await once(socket, 'connect');
    if (header !== undefined) socket.write(header);
    return new this(socket);
  }

  /** Sends bytes as they are. */
  raw(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** Sends messages, each in a packet of its own, all in one write. */
  send(...payloads: readonly Buffer[]): void {
    this.raw(Buffer.concat(payloads.map((payload) => this.sealed(payload))));
  }

  /** A packet that is counted as sent, for a test that cuts it up. */
  sealed(payload: Buffer): Buffer {
    return this.#sealer.seal(payload, this.#sequence.out++);
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
    this.socket.removeAllListeners('data').resume();
  }

  /** The next message that was not read yet, of one of these types; what comes before it is passed over. */
  async next(...types: readonly number[]): Promise<Buffer> {
    const find = () => this.received.findIndex((payload, at) => at >= this.#read && types.includes(payload[0] ?? 0));
    await until(() => find() !== -1 || this.isClosed, `a message of type ${types.join(' or ')} comes`);
    const at = find();
    const found = this.received[at];
    if (found === undefined) throw new Error(`closed before a message of type ${types.join(' or ')} came`);
    this.#read = at + 1;
    return found;
  }

  /** How many messages of this type came. */
  count(type: number): number {
    return this.received.filter((payload) => payload[0] === type).length;
  }

  /** Resolves when the server has closed the connection. */
  async closed(limitMs?: number): Promise<void> {
    await until(() => this.isClosed, 'the server closes the connection', undefined, limitMs);
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await until(() => this.isClosed, 'the client is closed');
  }

  /** From the next packet to the server on. */
  protected sealBy(sealer: Sealer, isCountedAnew: boolean): void {
    this.#sealer = sealer;
    if (isCountedAnew) this.#sequence.out = 0;
  }

  /** From the next packet of the server on. */
  protected openBy(opener: Opener, isCountedAnew: boolean): void {
    this.#opener = opener;
    if (isCountedAnew) this.#sequence.in = 0;
  }

  /** A message has come. */
  protected take(payload: Buffer): void {
    if (!this.consume(payload)) this.received.push(payload);
  }

  #take(chunk: Buffer): void {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    if (this.serverIdentification === undefined) this.#takeIdentification();
    if (this.serverIdentification === undefined) return;
    let packet = this.#opener.open(this.#unread, this.#sequence.in);
    while (packet !== undefined) {
      this.#unread = this.#unread.subarray(packet.end);
      this.#sequence.in += 1;
      this.take(packet.payload);
      packet = this.#opener.open(this.#unread, this.#sequence.in);
    }
  }

  #takeIdentification(): void {
    const end = this.#unread.indexOf('\r\n');
    if (end === -1) return;
    this.serverIdentification = this.#unread.toString('latin1', 0, end);
    this.#unread = this.#unread.subarray(end + 2);
  }
}
