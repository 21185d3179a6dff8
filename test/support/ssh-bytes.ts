/** SSH messages as bytes, so that a test can send what no well-behaved client would (RFC 4250 4.1.2 for the numbers). */

export const MESSAGE = {
  DISCONNECT: 1,
  IGNORE: 2,
  UNIMPLEMENTED: 3,
  DEBUG: 4,
  SERVICE_REQUEST: 5,
  SERVICE_ACCEPT: 6,
  EXT_INFO: 7,
  KEXINIT: 20,
  NEWKEYS: 21,
  KEX_ECDH_INIT: 30,
  KEX_ECDH_REPLY: 31,
  USERAUTH_REQUEST: 50,
  USERAUTH_FAILURE: 51,
  USERAUTH_SUCCESS: 52,
  USERAUTH_BANNER: 53,
  USERAUTH_PK_OK: 60,
  USERAUTH_INFO_RESPONSE: 61,
  GLOBAL_REQUEST: 80,
  REQUEST_SUCCESS: 81,
  REQUEST_FAILURE: 82,
  CHANNEL_OPEN: 90,
  CHANNEL_OPEN_CONFIRMATION: 91,
  CHANNEL_OPEN_FAILURE: 92,
  CHANNEL_WINDOW_ADJUST: 93,
  CHANNEL_DATA: 94,
  CHANNEL_EXTENDED_DATA: 95,
  CHANNEL_EOF: 96,
  CHANNEL_CLOSE: 97,
  CHANNEL_REQUEST: 98,
  CHANNEL_SUCCESS: 99,
  CHANNEL_FAILURE: 100,
  PING: 192,
  PONG: 193,
} as const;

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function string(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

export function boolean(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0]);
}

export function message(type: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([type]), ...parts]);
}

/** Reads fields one after the other. */
export class Reader {
  #at: number;

  constructor(
    private readonly bytes: Buffer,
    at = 1,
  ) {
    this.#at = at;
  }

  uint32(): number {
    this.#at += 4;
    return this.bytes.readUInt32BE(this.#at - 4);
  }

  byte(): number {
    this.#at += 1;
    return this.bytes.readUInt8(this.#at - 1);
  }

  string(): Buffer {
    const length = this.uint32();
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return this.string().toString('utf8');
  }
}

/** A log-in request by public key: an offer, or with `signature` a proof (RFC 4252 7). */
export interface KeyRequest {
  readonly user?: string;
  readonly service?: string;
  /** The name beside the blob. */
  readonly algorithm: string;
  readonly blob: Buffer;
}

export function offer({ user = 'git', service = 'ssh-connection', algorithm, blob }: KeyRequest): Buffer {
  const head = message(MESSAGE.USERAUTH_REQUEST, string(user), string(service), string('publickey'));
  return Buffer.concat([head, boolean(false), string(algorithm), string(blob)]);
}

/** @param signature what follows the blob, without the length that goes around all of it. */
export function proof({ user = 'git', service = 'ssh-connection', algorithm, blob }: KeyRequest, signature: Buffer) {
  const head = message(MESSAGE.USERAUTH_REQUEST, string(user), string(service), string('publickey'));
  return Buffer.concat([head, boolean(true), string(algorithm), string(blob), string(signature)]);
}

/** What is to be signed for a request. */
export function signedData(sessionId: Buffer, request: KeyRequest): Buffer {
  const { user = 'git', service = 'ssh-connection', algorithm, blob } = request;
  const head = message(MESSAGE.USERAUTH_REQUEST, string(user), string(service), string('publickey'));
  return Buffer.concat([string(sessionId), head, boolean(true), string(algorithm), string(blob)]);
}

/** A signature with its own algorithm name, as a proof carries it. */
export function named(algorithm: string, signature: Buffer): Buffer {
  return Buffer.concat([string(algorithm), string(signature)]);
}

export function openSession(
  channel: number,
  { window = 2 * 1024 ** 2, packetSize = 32 * 1024, type = 'session', data = Buffer.alloc(0) } = {},
): Buffer {
  return message(MESSAGE.CHANNEL_OPEN, string(type), uint32(channel), uint32(window), uint32(packetSize), data);
}

export function channelRequest(channel: number, type: string, wantReply: boolean, ...data: Buffer[]): Buffer {
  return message(MESSAGE.CHANNEL_REQUEST, uint32(channel), string(type), boolean(wantReply), ...data);
}
