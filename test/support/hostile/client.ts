/**
 * An SSH client that does whatever a test wants, well or badly, and shares no code with ssh2: the handshake by itself,
 * then any message, any bytes, at any time.
 */
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
import type { Offer } from './key-exchange.js';
import { KeyedWire } from './keyed-wire.js';
import type { DialOptions } from './wire.js';

/** An Ed25519 key. */
export interface Signer {
  readonly blob: Buffer;
  sign(data: Buffer): Buffer;
}

export interface Turned {
  readonly reason: number;
  readonly words: string;
}

export class HostileClient extends KeyedWire {
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

  /** A global request that wants a reply (RFC 4254 4). */
  static globalRequest(name = 'keepalive@openssh.com'): Buffer {
    return message(MESSAGE.GLOBAL_REQUEST, string(name), boolean(true));
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

  /** Opens a session channel (RFC 4254 5.1). @returns the server's number of it. */
  async open(channel = 0, options: Parameters<typeof openSession>[1] = {}): Promise<number> {
    this.send(openSession(channel, options));
    const confirmation = new Reader(await this.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION));
    confirmation.uint32();
    return confirmation.uint32();
  }

  /** Begins a command on a channel of the server's number (RFC 4254 6.5). */
  async exec(theirs: number, command = 'run'): Promise<void> {
    this.send(channelRequest(theirs, 'exec', true, string(command)));
    await this.next(MESSAGE.CHANNEL_SUCCESS);
  }

  /** With which reason and words the server ends the connection (RFC 4253 11.1). */
  async turnedAway(): Promise<Turned> {
    const disconnect = new Reader(await this.next(MESSAGE.DISCONNECT));
    const turned = { reason: disconnect.uint32(), words: disconnect.text() };
    await this.closed();
    return turned;
  }
}
