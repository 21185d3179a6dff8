/** The private parts of ssh2 1.17.0 that `internals.ts` uses, as types. Nobody else has business with them. */
import type { Socket } from 'node:net';

export type Handler = (...args: unknown[]) => void;

/** The parts of ssh2's Protocol (lib/protocol/Protocol.js) that are used. */
export interface Protocol {
  readonly _server: boolean;
  _kexinit: unknown;
  _queue: Uint8Array[] | undefined;
  _kex: ExchangeParts | undefined;
  /** Undefined until the peer's identification line has come. */
  readonly _decipher: { _onPayload(payload: Buffer): unknown } | undefined;
  readonly _authenticated: boolean;
  /** Undefined until the first KEXINITs have been compared. */
  readonly _strictMode: boolean | undefined;
  _skipNextInboundPacket: boolean;
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
  _onHeader: Handler;
  _onHandshakeComplete: Handler;
  _onPayload(payload: Buffer): unknown;
  _onWrite: (bytes: Uint8Array) => void;
  disconnect(reason: number): void;
  rekey(): void;
  exitStatus(channel: number, code: number): void;
  channelFailure(channel: number): void;
  channelClose(channel: number): void;
  channelOpenFail(channel: number, reason: number, words: string): void;
  channelOpenConfirm(remote: number, local: number, window: number, packetSize: number): void;
  channelWindowAdjust(channel: number, bytes: number): void;
}

/** The key exchange of ssh2's that others are done by. */
export const CURVE25519 = 'curve25519-sha256';

/** One key exchange (KeyExchange of lib/protocol/kex.js). */
export interface ExchangeParts {
  type: string;
  readonly negotiated: {
    kex: string;
    readonly serverHostKey: string;
    readonly cs: { readonly cipher: string };
    readonly sc: { readonly cipher: string };
  };
  /** The exchange hash of the connection's first exchange (RFC 4253 7.2). */
  readonly sessionID: Buffer | undefined;
  remoteExtInfoEnabled?: boolean;
  /** Until it has ended. */
  _remoteKexinit: Buffer;
  /** What the peer has sent, as it is hashed. */
  convertPublicKey(sent: Buffer): Buffer;
  /** What is sent to the peer. */
  getPublicKey(): Buffer;
  computeSecret(sent: Buffer): Buffer | Error;
}

/** What is sent in a key exchange, and the secret from what the peer sends. */
export interface Agreement {
  readonly send: () => Buffer;
  readonly compute: (sent: Buffer) => Buffer;
}

export type Direction = Record<'cipher' | 'mac' | 'compress' | 'lang', readonly string[]>;

/** What a KEXINIT offers (KexInit of lib/protocol/kex.js), and what one is made from. */
export interface Offer {
  readonly lists: {
    readonly kex: { readonly array: readonly string[] };
    readonly serverHostKey: { readonly array: readonly string[] };
    readonly cs: Record<keyof Direction, { readonly array: readonly string[] }>;
  };
  readonly constructor: unknown;
}

export type NewOffer = new (algorithms: {
  kex: readonly string[];
  serverHostKey: readonly string[];
  cs: Direction;
  sc: Direction;
}) => Offer;

/** One direction of a channel. */
export interface Side {
  readonly id: number;
  window: number;
  readonly packetSize: number;
  readonly state: string;
}

/** A session (lib/server.js): its channel exists once its command was accepted. */
export interface SessionParts {
  _channel: object | undefined;
  readonly _ending: boolean;
  readonly _chanInfo: { readonly incoming: Side; readonly outgoing: Side };
}

/** A channel (lib/Channel.js), with what it still had to write when the window was used up. */
export interface ChannelParts {
  readonly incoming: Side;
  readonly outgoing: Side;
  readonly _readableState: { highWaterMark: number };
  _chunk: Buffer | undefined;
  _chunkcb: unknown;
  _chunkErr: Buffer | undefined;
  _chunkcbErr: unknown;
}

export interface ConnectionParts {
  readonly _protocol: Protocol;
  readonly _sock: Socket;
}

export interface ClientParts extends ConnectionParts {
  readonly authenticated: boolean;
  readonly _chanMgr: {
    readonly _channels: Readonly<Record<number, SessionParts | true>>;
    readonly _count: number;
    get(id: number): SessionParts | true | undefined;
    remove(id: number): void;
  };
}
