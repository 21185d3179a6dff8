/** The binary packet protocol (RFC 4253 6) in both directions: plain, or under the keys of an exchange. */
import { createCipheriv, createDecipheriv, createHmac, type Cipher, type Decipher } from 'node:crypto';
import { uint32 } from '../ssh-bytes.js';

export type CipherName = 'aes128-gcm@openssh.com' | 'aes256-ctr';

/** What one direction of a cipher needs (RFC 4253 7.2), in bytes. */
export const SIZES: Readonly<Record<CipherName, { readonly iv: number; readonly key: number; readonly mac: number }>> =
  { 'aes128-gcm@openssh.com': { iv: 12, key: 16, mac: 0 }, 'aes256-ctr': { iv: 16, key: 32, mac: 32 } };

export interface Keys {
  readonly cipher: CipherName;
  readonly iv: Buffer;
  readonly key: Buffer;
  readonly mac: Buffer;
}

/** Makes packets. */
export interface Sealer {
  seal(payload: Buffer, sequence: number): Buffer;
}

/** Takes packets apart. */
export interface Opener {
  /** The payload of the first packet in `bytes`, and where the next begins; undefined while it is not whole. */
  open(bytes: Buffer, sequence: number): { readonly payload: Buffer; readonly end: number } | undefined;
}

export const PLAIN: Sealer & Opener = {
  seal: (payload) => {
    const body = padded(payload, 8, 4);
    return Buffer.concat([uint32(body.length), body]);
  },
  open: (bytes) => {
    const end = endOf(bytes, 0);
    return end === undefined ? undefined : { payload: unpadded(bytes.subarray(4, end)), end };
  },
};

export function sealerOf(keys: Keys): Sealer {
  return keys.cipher === 'aes256-ctr' ? new CtrSealer(keys) : new GcmSealer(keys);
}

export function openerOf(keys: Keys): Opener {
  return keys.cipher === 'aes256-ctr' ? new CtrOpener(keys) : new GcmOpener(keys);
}

const TAG_BYTES = 16;
const BLOCK_BYTES = 16;

/** AES-GCM (RFC 5647 7): the length is sent in clear and authenticated, the last eight bytes of the nonce count. */
class Gcm {
  readonly #nonce: Buffer;

  constructor(protected readonly keys: Keys) {
    this.#nonce = Buffer.from(keys.iv);
  }

  protected takeNonce(): Buffer {
    const nonce = Buffer.from(this.#nonce);
    this.#nonce.writeBigUInt64BE(BigInt.asUintN(64, nonce.readBigUInt64BE(4) + 1n), 4);
    return nonce;
  }
}

class GcmSealer extends Gcm implements Sealer {
  seal(payload: Buffer): Buffer {
    const body = padded(payload, BLOCK_BYTES, 0);
    const length = uint32(body.length);
    const cipher = createCipheriv('aes-128-gcm', this.keys.key, this.takeNonce()).setAAD(length);
    return Buffer.concat([length, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
  }
}

class GcmOpener extends Gcm implements Opener {
  open(bytes: Buffer) {
    const end = endOf(bytes, TAG_BYTES);
    if (end === undefined) return undefined;
    const decipher = createDecipheriv('aes-128-gcm', this.keys.key, this.takeNonce());
    decipher.setAAD(bytes.subarray(0, 4)).setAuthTag(bytes.subarray(end - TAG_BYTES, end));
    const body = Buffer.concat([decipher.update(bytes.subarray(4, end - TAG_BYTES)), decipher.final()]);
    return { payload: unpadded(body), end };
  }
}

const MAC_BYTES = 32;

/** AES-CTR (RFC 4344 4) with hmac-sha2-256-etm@openssh.com: the MAC is over what is sent (OpenSSH's PROTOCOL 1.5). */
class CtrSealer implements Sealer {
  readonly #cipher: Cipher;

  constructor(private readonly keys: Keys) {
    this.#cipher = createCipheriv('aes-256-ctr', keys.key, keys.iv);
  }

  seal(payload: Buffer, sequence: number): Buffer {
    const body = this.#cipher.update(padded(payload, BLOCK_BYTES, 0));
    const packet = Buffer.concat([uint32(body.length), body]);
    return Buffer.concat([packet, macOf(this.keys, packet, sequence)]);
  }
}

class CtrOpener implements Opener {
  readonly #decipher: Decipher;

  constructor(private readonly keys: Keys) {
    this.#decipher = createDecipheriv('aes-256-ctr', keys.key, keys.iv);
  }

  open(bytes: Buffer, sequence: number) {
    const end = endOf(bytes, MAC_BYTES);
    if (end === undefined) return undefined;
    const packet = bytes.subarray(0, end - MAC_BYTES);
    if (!macOf(this.keys, packet, sequence).equals(bytes.subarray(packet.length, end))) throw new Error('wrong MAC');
    return { payload: unpadded(this.#decipher.update(packet.subarray(4))), end };
  }
}

function macOf({ mac }: Keys, packet: Buffer, sequence: number): Buffer {
  return createHmac('sha256', mac).update(uint32(sequence)).update(packet).digest();
}

/** @param counted how many bytes of the packet's length count for the alignment. */
function padded(payload: Buffer, block: number, counted: number): Buffer {
  const missing = block - ((counted + 1 + payload.length) % block);
  const padding = missing < 4 ? missing + block : missing;
  return Buffer.concat([Buffer.from([padding]), payload, Buffer.alloc(padding)]);
}

function unpadded(body: Buffer): Buffer {
  return Buffer.from(body.subarray(1, body.length - body.readUInt8(0)));
}

/** @param tail how many bytes follow what the length counts. */
function endOf(bytes: Buffer, tail: number): number | undefined {
  if (bytes.length < 4) return undefined;
  const end = 4 + bytes.readUInt32BE(0) + tail;
  return bytes.length < end ? undefined : end;
}
