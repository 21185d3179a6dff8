/** A TCP connection that speaks SSH packets, with a say over every byte of it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from '../../contracts/contract.js';
import { PLAIN, type Opener, type Sealer } from './packets.js';

export interface DialOptions {
  readonly host?: string;
  /** The address to come from: on Linux the whole of 127/8 is this machine's own. */
  readonly from?: string;
  /** Leaves our side open when the server ends its own. */
  readonly allowHalfOpen?: boolean;
}

export class HostileWire {
  /** All payloads the server sent, in order, but for those that `onPayload` said no to. */
  readonly received: Buffer[] = [];
  /** The server's identification line, without its end (RFC 4253 4.2). */
  identification: string | undefined;
  isClosed = false;
  /** Sees each payload; whether it is to be kept. */
  onPayload: (payload: Buffer) => boolean = () => true;
  readonly #sequence = { in: 0, out: 0 };
  #sealer: Sealer = PLAIN;
  #opener: Opener = PLAIN;
  #unread: Buffer = Buffer.alloc(0);
  #read = 0;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.#take(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.isClosed = true));
  }

  /** Connects, and sends nothing. */
  static async dial(port: number, options: DialOptions = {}): Promise<HostileWire> {
    const { host = '127.0.0.1', from, allowHalfOpen = false } = options;
    const source = from === undefined ? {} : { localAddress: from };
    const socket = connect({ host, port, noDelay: true, allowHalfOpen, ...source });
    const wire = new HostileWire(socket);
    await once(socket, 'connect');
    return wire;
  }

  /** Sends bytes as they are. */
  raw(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** Sends messages, each in a packet of its own, all in one write. */
  send(...payloads: readonly Buffer[]): void {
    this.raw(Buffer.concat(payloads.map((payload) => this.sealed(payload))));
  }

  /** A packet that is counted as sent, for a test that sends it in its own way. */
  sealed(payload: Buffer): Buffer {
    return this.#sealer.seal(payload, this.#sequence.out++);
  }

  /** From the next packet to the server on. */
  sealBy(sealer: Sealer, isCountedAnew: boolean): void {
    this.#sealer = sealer;
    if (isCountedAnew) this.#sequence.out = 0;
  }

  /** From the next packet of the server on. */
  openBy(opener: Opener, isCountedAnew: boolean): void {
    this.#opener = opener;
    if (isCountedAnew) this.#sequence.in = 0;
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

  /** Reads on and looks at nothing any more: the cheapest way to keep a server busy. */
  discard(): void {
    this.socket.removeAllListeners('data').resume();
  }

  /** How many messages of this type came. */
  count(type: number): number {
    return this.received.filter((payload) => payload[0] === type).length;
  }

  async closed(limitMs?: number): Promise<void> {
    await until(() => this.isClosed, 'the server closes the connection', undefined, limitMs);
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await until(() => this.isClosed, 'the client is closed');
  }

  #take(chunk: Buffer): void {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    if (this.identification === undefined) this.#takeIdentification();
    if (this.identification === undefined) return;
    let packet = this.#opener.open(this.#unread, this.#sequence.in);
    while (packet !== undefined) {
      this.#unread = this.#unread.subarray(packet.end);
      this.#sequence.in += 1;
      if (this.onPayload(packet.payload)) this.received.push(packet.payload);
      packet = this.#opener.open(this.#unread, this.#sequence.in);
    }
  }

  #takeIdentification(): void {
    const end = this.#unread.indexOf('\r\n');
    if (end === -1) return;
    this.identification = this.#unread.toString('latin1', 0, end);
    this.#unread = this.#unread.subarray(end + 2);
  }
}
