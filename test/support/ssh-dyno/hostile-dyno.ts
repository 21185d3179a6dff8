/**
 * A dyno's SSH server that does whatever a test wants, well or badly, and shares no code with ssh2: the handshake by
 * itself, then any message, any bytes, at any time.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { until } from '../../../src/contracts/contract.js';
import { Curve25519, isStrict, kexInit, STRICT_SERVER, type HostSigner, type Offer } from '../hostile/key-exchange.js';
import { openerOf, sealerOf, type Opener } from '../hostile/packets.js';
import { HostileWire } from '../hostile/wire.js';
import { MESSAGE, message, Reader, string, uint32 } from '../ssh-bytes.js';

const IDENTIFICATION = 'SSH-2.0-hostile';
const OFFER: Partial<Offer> = { kex: ['curve25519-sha256', STRICT_SERVER] };

/** What a dyno takes of its client, in bytes. */
export interface Room {
  readonly window?: number;
  readonly packetSize?: number;
  /** Granted more, in the same write as the confirmation. */
  readonly more?: number;
}

/** One connection of gitmouth's to it. Its number of the one channel is `THEIRS`. */
export class DynoWire extends HostileWire {
  static readonly THEIRS = 7;
  readonly #host: HostSigner;
  #sessionId: Buffer | undefined;
  #isStrict = false;
  #opener: Opener | undefined;

  constructor(socket: ConstructorParameters<typeof HostileWire>[0], host: HostSigner) {
    super(socket);
    this.#host = host;
  }

  /** The client's number of the channel, once it was opened. */
  client = -1;

  identify(): void {
    this.raw(`${IDENTIFICATION}\r\n`);
  }

  /** Sends a KEXINIT, and leaves it at that. */
  beginKeyExchange(offer: Partial<Offer> = {}): Buffer {
    const mine = kexInit({ ...OFFER, ...offer });
    this.send(mine);
    return mine;
  }

  /** Exchanges keys, for the first time or again. */
  async exchangeKeys(offer: Partial<Offer> = {}): Promise<void> {
    const mine = this.beginKeyExchange(offer);
    const theirs = await this.next(MESSAGE.KEXINIT);
    const init = await this.next(MESSAGE.KEX_ECDH_INIT);
    const identifications = [this.serverIdentification ?? '', IDENTIFICATION] as const;
    const exchange = { identifications, inits: [theirs, mine] as const };
    const { reply, keys } = new Curve25519().answer(init, exchange, this.#host, this.#sessionId);
    if (this.#sessionId === undefined) this.#isStrict = isStrict(theirs, mine);
    this.#sessionId ??= keys.hash;
    this.#opener = openerOf(keys.toServer);
    this.send(reply, message(MESSAGE.NEWKEYS));
    this.sealBy(sealerOf(keys.toClient), this.#isStrict);
    await until(() => this.#opener === undefined || this.isClosed, 'keys are exchanged');
  }

  /** Accepts the service, says that the key would do, and takes the proof for good. */
  async acceptLogin(): Promise<void> {
    await this.acceptService();
    const offered = new Reader(await this.next(MESSAGE.USERAUTH_REQUEST));
    for (let field = 0; field < 3; field += 1) offered.string();
    offered.byte();
    this.send(message(MESSAGE.USERAUTH_PK_OK, string(offered.string()), string(offered.string())));
    await this.next(MESSAGE.USERAUTH_REQUEST);
    this.send(message(MESSAGE.USERAUTH_SUCCESS));
  }

  async acceptService(): Promise<void> {
    await this.next(MESSAGE.SERVICE_REQUEST);
    this.send(message(MESSAGE.SERVICE_ACCEPT, string('ssh-userauth')));
  }

  async acceptChannel({ window = 2 * 1024 ** 2, packetSize = 32 * 1024, more }: Room = {}): Promise<void> {
    const opened = new Reader(await this.next(MESSAGE.CHANNEL_OPEN));
    opened.string();
    this.client = opened.uint32();
    const numbers = [this.client, DynoWire.THEIRS, window, packetSize].map(uint32);
    const grants =
      more === undefined ? [] : [message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(this.client), uint32(more))];
    this.send(message(MESSAGE.CHANNEL_OPEN_CONFIRMATION, ...numbers), ...grants);
  }

  /** Answers every request up to the command. @returns its line, and the variables that were offered before. */
  async acceptCommand(acceptsVariable: (name: string) => boolean = () => true) {
    for (const offered: Record<string, string> = {}; ;) {
      const request = new Reader(await this.next(MESSAGE.CHANNEL_REQUEST));
      request.uint32();
      const type = request.text();
      request.byte();
      const first = request.text();
      if (type === 'env') offered[first] = request.text();
      const isGranted = type === 'exec' || (type === 'env' && acceptsVariable(first));
      this.send(message(isGranted ? MESSAGE.CHANNEL_SUCCESS : MESSAGE.CHANNEL_FAILURE, uint32(this.client)));
      if (type === 'exec') return { line: first, offered };
    }
  }

  /** Everything up to a running command, as a good dyno does it. */
  async serve(room?: Room): Promise<void> {
    this.identify();
    await this.exchangeKeys();
    await this.acceptLogin();
    await this.acceptChannel(room);
    await this.acceptCommand();
  }

  /** Output of the command. */
  data(bytes: Buffer | string): Buffer {
    return message(MESSAGE.CHANNEL_DATA, uint32(this.client), string(bytes));
  }

  /** Error output of the command. */
  errorData(bytes: Buffer | string, type = 1): Buffer {
    return message(MESSAGE.CHANNEL_EXTENDED_DATA, uint32(this.client), uint32(type), string(bytes));
  }

  exitStatus(status: number): Buffer {
    return this.request('exit-status', false, uint32(status));
  }

  request(type: string, wantsReply: boolean, ...data: readonly Buffer[]): Buffer {
    const flag = Buffer.from([wantsReply ? 1 : 0]);
    return message(MESSAGE.CHANNEL_REQUEST, uint32(this.client), string(type), flag, ...data);
  }

  end(): Buffer {
    return message(MESSAGE.CHANNEL_EOF, uint32(this.client));
  }

  closeChannel(): Buffer {
    return message(MESSAGE.CHANNEL_CLOSE, uint32(this.client));
  }

  protected override take(payload: Buffer): void {
    if (payload[0] === MESSAGE.NEWKEYS && this.#opener !== undefined) {
      this.openBy(this.#opener, this.#isStrict);
      this.#opener = undefined;
    }
    super.take(payload);
  }
}

export class HostileDyno {
  /** What went wrong in what was to be done to a connection. */
  readonly failures: unknown[] = [];
  readonly wires: DynoWire[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param treat what is done to each connection; that it closes in the middle is no failure. */
  static async start(host: HostSigner, treat: (wire: DynoWire) => Promise<void> | void): Promise<HostileDyno> {
    const server = createServer({ noDelay: true });
    const dyno = new HostileDyno(server);
    server.on('connection', (socket) => {
      const wire = new DynoWire(socket, host);
      dyno.wires.push(wire);
      Promise.resolve(treat(wire)).catch((error: unknown) => {
        if (!wire.isClosed) dyno.failures.push(error);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return dyno;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const wire of this.wires) await wire.close();
    this.#server.close();
    await once(this.#server, 'close');
    if (this.failures.length > 0) throw new AggregateError(this.failures, 'the hostile dyno failed itself');
  }
}
