/** An SSH client with control over each message: ssh2 does the key exchange and the encryption, and nothing more. */
import type { Socket } from 'node:net';
import ssh2, { type ConnectConfig } from 'ssh2';
import type { Pair } from './ground.js';
import { MESSAGE, named, openSession, proof, Reader, signedData, type KeyRequest } from '../../support/ssh-bytes.js';
import { until } from '../../../src/contracts/contract.js';

/** What is used of ssh2's Protocol (lib/protocol/Protocol.js). */
interface Protocol {
  _kex: { sessionID: Buffer };
  _handlers: object;
  _onPayload(payload: Buffer): unknown;
  _cipher: { encrypt(packet: Buffer): void };
  _packetRW: {
    write: {
      allocStartKEX: number;
      alloc(n: number, force: boolean): Buffer;
      finalize(p: Buffer, force: boolean): Buffer;
    };
  };
  _offer: { totalSize: number; copyAllTo(target: Buffer, at: number): void };
  rekey(): void;
}

/** Sends messages as they are, over any client of ssh2. */
export function sendPayloads(client: ssh2.Client, ...payloads: readonly Buffer[]): void {
  const { _packetRW, _cipher } = (client as unknown as { _protocol: Protocol })._protocol;
  for (const payload of payloads) {
    const packet = _packetRW.write.alloc(payload.length, true);
    packet.set(payload, _packetRW.write.allocStartKEX);
    _cipher.encrypt(_packetRW.write.finalize(packet, true));
  }
}

export class RawClient {
  /** Messages since the first key exchange, in order. */
  readonly received: Buffer[] = [];
  /** Sees each message before it is recorded, and says whether it is to be forgotten. */
  consume: (payload: Buffer) => boolean = () => false;
  readonly socket: Socket;
  readonly #client = new ssh2.Client();
  readonly #protocol: Protocol;
  #read = 0;
  #isReady = false;
  #isDeafToKeyExchange = false;
  isClosed = false;

  private constructor(port: number, config: ConnectConfig) {
    this.#client.on('error', () => undefined);
    this.#client.on('close', () => (this.isClosed = true));
    this.#client.connect({
      host: '127.0.0.1',
      port,
      username: 'git',
      readyTimeout: 0,
      // Never answered: from here on the test speaks.
      authHandler: () => {
        this.#isReady = true;
        this.#protocol._handlers = {};
      },
      ...config,
    });
    const parts = this.#client as unknown as { _protocol: Protocol; _sock: Socket };
    this.#protocol = parts._protocol;
    this.socket = parts._sock;
    const original = this.#protocol._onPayload.bind(this.#protocol);
    this.#protocol._onPayload = (payload) => {
      if (!this.consume(payload)) this.received.push(Buffer.from(payload));
      return payload[0] === MESSAGE.KEXINIT && this.#isDeafToKeyExchange ? undefined : original(payload);
    };
  }

  /** Connects and exchanges keys; what follows is a log-in request. */
  static async connect(port: number, config: ConnectConfig = {}): Promise<RawClient> {
    const client = new RawClient(port, config);
    await until(() => client.#isReady || client.isClosed, 'keys are exchanged');
    if (client.isClosed) throw new Error('the server closed the connection during the key exchange');
    return client;
  }

  /** Connects and logs in with a proof by this key. */
  static async logIn(port: number, pair: Pair, user = 'git'): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.prove({ user, algorithm: 'ssh-ed25519', blob: pair.blob }, pair);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    return client;
  }

  get sessionId(): Buffer {
    return this.#protocol._kex.sessionID;
  }

  send(...payloads: readonly Buffer[]): void {
    sendPayloads(this.#client, ...payloads);
  }

  /** Sends a request with the signature that belongs to it. */
  prove(request: KeyRequest, pair: Pair, hash?: string): void {
    const signature = pair.sign(signedData(this.sessionId, request), hash);
    this.send(proof(request, named(request.algorithm, signature)));
  }

  /** The next message that was not read yet, of one of these types; what comes before it is passed over. */
  async next(...types: readonly number[]): Promise<Buffer> {
    const find = () => this.received.findIndex((payload, at) => at >= this.#read && types.includes(payload[0] ?? 0));
    await until(() => find() !== -1 || this.isClosed, `a message of type ${types.join(' or ')}`);
    const at = find();
    if (at === -1) throw new Error(`closed before a message of type ${types.join(' or ')}`);
    this.#read = at + 1;
    return this.received[at] ?? Buffer.alloc(0);
  }

  /** Opens a session channel. @returns the server's number of it. */
  async open(channel = 0, options: Parameters<typeof openSession>[1] = {}): Promise<number> {
    this.send(openSession(channel, options));
    const confirmation = new Reader(await this.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION));
    confirmation.uint32();
    return confirmation.uint32();
  }

  /** Begins a key exchange of one's own, as any client may at any time. */
  rekey(): void {
    this.#protocol.rekey();
  }

  /** Begins a key exchange and never goes on with it, though everything else is read. */
  rekeyHalfway(): void {
    this.#isDeafToKeyExchange = true;
    const { _offer: lists } = this.#protocol;
    const payload = Buffer.alloc(1 + 16 + lists.totalSize + 1 + 4);
    payload[0] = MESSAGE.KEXINIT;
    lists.copyAllTo(payload, 17);
    this.send(payload);
  }

  types(): readonly number[] {
    return this.received.map((payload) => payload[0] ?? 0);
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await until(() => this.isClosed, 'the client is closed');
  }
}
