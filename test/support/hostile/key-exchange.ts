/**
 * The key exchange (RFC 4253 7) by curve25519-sha256 (RFC 8731) in both roles, and by mlkem768x25519-sha256
 * (draft-ietf-sshm-mlkem-hybrid-kex) as a client, who takes the host key on trust.
 */
import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { boolean, MESSAGE, message, Reader, string, uint32 } from '../ssh-bytes.js';
import { SIZES, type CipherName, type Keys } from './packets.js';

/** What a KEXINIT offers, the same in both directions. */
export interface Offer {
  readonly kex: readonly string[];
  readonly hostKey: readonly string[];
  readonly cipher: readonly string[];
  readonly mac: readonly string[];
  readonly compression: readonly string[];
}

const STRICT_CLIENT = 'kex-strict-c-v00@openssh.com';
export const STRICT_SERVER = 'kex-strict-s-v00@openssh.com';

export const OFFER: Offer = {
  kex: ['curve25519-sha256', STRICT_CLIENT, 'ext-info-c'],
  hostKey: ['ssh-ed25519', 'rsa-sha2-512'],
  cipher: ['aes128-gcm@openssh.com'],
  mac: ['hmac-sha2-256-etm@openssh.com'],
  compression: ['none'],
};

/** RFC 4253 7.1 */
export function kexInit(offer: Partial<Offer> = {}): Buffer {
  const { kex, hostKey, cipher, mac, compression } = { ...OFFER, ...offer };
  const lists = [kex, hostKey, cipher, cipher, mac, mac, compression, compression, [], []];
  const names = lists.map((list) => string(list.join(',')));
  return message(MESSAGE.KEXINIT, randomBytes(16), ...names, boolean(false), uint32(0));
}

/** What the server offers, from its side's lists. */
export function readKexInit(payload: Buffer): Offer {
  const reader = new Reader(payload, 17);
  const list = () => reader.text().split(',');
  const [kex, hostKey] = [list(), list()];
  list();
  const cipher = list();
  list();
  const mac = list();
  list();
  return { kex, hostKey, cipher, mac, compression: list() };
}

/** Whether both sides count their packets anew after each key exchange (OpenSSH's PROTOCOL 1.9). */
export function isStrict(client: Buffer, server: Buffer): boolean {
  return readKexInit(client).kex.includes(STRICT_CLIENT) && readKexInit(server).kex.includes(STRICT_SERVER);
}

/** Both sides of one exchange, as far as they are hashed (RFC 5656 4). */
export interface Exchange {
  readonly identifications: readonly [client: string, server: string];
  readonly inits: readonly [client: Buffer, server: Buffer];
}

export interface NewKeys {
  readonly hash: Buffer;
  readonly toServer: Keys;
  readonly toClient: Keys;
}

/** A server's own key. */
export interface HostSigner {
  readonly blob: Buffer;
  /** The signature with its algorithm's name. */
  sign(hash: Buffer): Buffer;
}

/** A client's part in one exchange. */
export interface Agreement {
  initMessage(): Buffer;
  finish(reply: Buffer, exchange: Exchange, sessionId: Buffer | undefined): NewKeys;
}

export const HYBRID = 'mlkem768x25519-sha256';

/** By what this client likes best, if that is the hybrid. */
export function agreementFor({ kex = OFFER.kex }: Partial<Offer> = {}): Agreement {
  return kex[0] === HYBRID ? new Hybrid() : new Curve25519();
}

/** One ephemeral key pair of each kind. */
export class Hybrid implements Agreement {
  readonly #kem = ml_kem768.keygen();
  readonly #curve = new Curve25519();
  readonly init = Buffer.concat([this.#kem.publicKey, this.#curve.point]);

  initMessage(): Buffer {
    return message(MESSAGE.KEX_ECDH_INIT, string(this.init));
  }

  finish(reply: Buffer, exchange: Exchange, sessionId: Buffer | undefined): NewKeys {
    const reader = new Reader(reply);
    const [hostKey, theirs] = [reader.string(), reader.string()];
    return newKeys(exchange, [hostKey, this.init, theirs], string(this.secretOf(theirs)), sessionId);
  }

  secretOf(theirs: Buffer): Buffer {
    const ciphertext = theirs.subarray(0, -32);
    return sha256(
      Buffer.from(ml_kem768.decapsulate(ciphertext, this.#kem.secretKey)),
      this.#curve.secretWith(theirs.subarray(-32)),
    );
  }
}

/** One ephemeral key pair. */
export class Curve25519 implements Agreement {
  readonly #pair = generateKeyPairSync('x25519');

  /** RFC 5656 4, with a point as RFC 8731 3 has it. */
  initMessage(): Buffer {
    return message(MESSAGE.KEX_ECDH_INIT, string(this.point));
  }

  /** As a client. @param sessionId the hash of the connection's first exchange; undefined in that one. */
  finish(reply: Buffer, exchange: Exchange, sessionId: Buffer | undefined): NewKeys {
    const reader = new Reader(reply);
    const [hostKey, theirs] = [reader.string(), reader.string()];
    return newKeys(exchange, [hostKey, this.point, theirs], positive(this.secretWith(theirs)), sessionId);
  }

  /** As a server, upon a client's `KEX_ECDH_INIT`. */
  answer(init: Buffer, exchange: Exchange, host: HostSigner, sessionId: Buffer | undefined) {
    const theirs = new Reader(init).string();
    const points = [host.blob, theirs, this.point] as const;
    const keys = newKeys(exchange, points, positive(this.secretWith(theirs)), sessionId);
    const parts = [host.blob, this.point, host.sign(keys.hash)].map(string);
    return { keys, reply: message(MESSAGE.KEX_ECDH_REPLY, ...parts) };
  }

  get point(): Buffer {
    return Buffer.from(this.#pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  }

  secretWith(point: Buffer): Buffer {
    const jwk = { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') };
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    return diffieHellman({ privateKey: this.#pair.privateKey, publicKey });
  }
}

function newKeys(
  { identifications, inits }: Exchange,
  points: readonly [hostKey: Buffer, client: Buffer, server: Buffer],
  /** As it is hashed: an mpint (RFC 5656 4), or a string. */
  secret: Buffer,
  sessionId: Buffer | undefined,
): NewKeys {
  const hash = sha256(...[...identifications, ...inits, ...points].map(string), secret);
  // RFC 4253 7.2
  const derive = (letter: string, size: number) =>
    sha256(secret, hash, Buffer.from(letter), sessionId ?? hash).subarray(0, size);
  const cipher = agreedCipher(...inits);
  const size = SIZES[cipher];
  const keys = (iv: string, key: string, mac: string): Keys => ({
    cipher,
    iv: derive(iv, size.iv),
    key: derive(key, size.key),
    mac: derive(mac, size.mac),
  });
  return { hash, toServer: keys('A', 'C', 'E'), toClient: keys('B', 'D', 'F') };
}

/** The client's first choice that the server has (RFC 4253 7.1). */
function agreedCipher(client: Buffer, server: Buffer): CipherName {
  const known = (name: string): name is CipherName => name in SIZES;
  const agreed = readKexInit(client).cipher.find((name) => readKexInit(server).cipher.includes(name));
  if (agreed === undefined || !known(agreed))
    throw new Error(`no cipher of this client's: ${agreed ?? 'none in common'}`);
  return agreed;
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

/** A positive number as mpint (RFC 4251 5). */
function positive(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = bytes.subarray(first === -1 ? bytes.length : first);
  return string((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits);
}
