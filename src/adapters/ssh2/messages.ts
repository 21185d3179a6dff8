/**
 * Messages that ssh2 does not build, or builds wrongly, as payloads, and what they are made of (RFC 4250 4.1.2, RFC 4251
 * 5; OpenSSH's PROTOCOL 1.9 for ping and pong).
 */

export const MESSAGE = {
  DISCONNECT: 1,
  IGNORE: 2,
  UNIMPLEMENTED: 3,
  DEBUG: 4,
  SERVICE_REQUEST: 5,
  SERVICE_ACCEPT: 6,
  EXT_INFO: 7,
  KEXINIT: 20,
  USERAUTH_REQUEST: 50,
  USERAUTH_FAILURE: 51,
  USERAUTH_SUCCESS: 52,
  USERAUTH_BANNER: 53,
  USERAUTH_PK_OK: 60,
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

/** Disconnect reasons of RFC 4253 11.1 that are used. */
export const DISCONNECT = {
  PROTOCOL_ERROR: 2,
  KEY_EXCHANGE_FAILED: 3,
  SERVICE_NOT_AVAILABLE: 7,
  BY_APPLICATION: 11,
  TOO_MANY_CONNECTIONS: 12,
  NO_MORE_AUTH_METHODS_AVAILABLE: 14,
} as const;

/** Reasons not to open a channel (RFC 4254 5.1) that are used. */
export const OPEN_FAILURE = { ADMINISTRATIVELY_PROHIBITED: 1, RESOURCE_SHORTAGE: 4 } as const;

/** Signals of RFC 4254 6.10; names beyond them carry a domain, as OpenSSH does. */
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

/** RFC 4253 11.1 */
export function disconnectMessage(reason: number, words: string): Buffer {
  return message(MESSAGE.DISCONNECT, uint32(reason), string(words), string(''));
}

/** RFC 4252 5.4 */
export function bannerMessage(text: string): Buffer {
  return message(MESSAGE.USERAUTH_BANNER, string(text), string(''));
}

/** RFC 8308 2.3. @param extensions values by their names. */
export function extensionsMessage(extensions: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(extensions);
  return message(MESSAGE.EXT_INFO, uint32(entries.length), ...entries.flat().map(string));
}

/** RFC 4254 6.10 */
export function exitSignalMessage(channel: number, signal: string): Buffer {
  const name = RFC_SIGNALS.includes(signal) ? signal : `${signal}@openssh.com`;
  const wantReply = boolean(false);
  const coreDumped = boolean(false);
  const [words, language] = [string(''), string('')];
  const head = [uint32(channel), string('exit-signal'), wantReply];
  return message(MESSAGE.CHANNEL_REQUEST, ...head, string(name), coreDumped, words, language);
}

/** The binary packet of a message before any keys are exchanged (RFC 4253 6): lengths, payload, padding. */
export function plainPacket(payload: Buffer): Buffer {
  const unit = 8;
  const shortest = 4;
  const padding = shortest + ((unit - ((4 + 1 + payload.length + shortest) % unit)) % unit);
  return Buffer.concat([uint32(1 + payload.length + padding), Buffer.from([padding]), payload, Buffer.alloc(padding)]);
}

export function message(type: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([type]), ...parts]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function boolean(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0]);
}

export function string(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** A positive number from its digits (RFC 4251 5). */
export function mpint(digits: Buffer): Buffer {
  const first = digits.findIndex((byte) => byte !== 0);
  const significant = digits.subarray(first === -1 ? digits.length : first);
  return string((significant[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), significant]) : significant);
}

/** What strings these bytes are one after the other; undefined where they are no such row, or one of more than `most`. */
export function strings(bytes: Buffer, most: number): readonly Buffer[] | undefined {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (found.length === most || bytes.length - at < 4) return undefined;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    found.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return found;
}
