/**
 * The key exchange `mlkem768x25519-sha256` (draft-ietf-sshm-mlkem-hybrid-kex): ML-KEM-768 and X25519 side by side, so
 * that whoever records the traffic today must break both to read it one day.
 */
import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { KeyExchangeMethod } from '../added-exchange.js';
import { CIPHERTEXT_BYTES, ENCAPSULATION_KEY_BYTES, ML_KEM_768, type MlKem } from './ml-kem.js';

const POINT_BYTES = 32;

/** A SubjectPublicKeyInfo up to the point (RFC 8410 4). */
const SPKI_HEAD = Buffer.from('302a300506032b656e032100', 'hex');

export const HYBRID_NAME = 'mlkem768x25519-sha256';

export const HYBRID = hybridBy(ML_KEM_768);

export function hybridBy(kem: MlKem): KeyExchangeMethod {
  return {
    name: HYBRID_NAME,
    answer(init) {
      const [encapsulationKey, theirs] = halves(init, ENCAPSULATION_KEY_BYTES);
      const curve = new X25519();
      // Before the other half, which costs more.
      const shared = curve.secretWith(theirs);
      const { ciphertext, secret } = kem.encapsulate(encapsulationKey);
      return { reply: Buffer.concat([ciphertext, curve.point]), secret: combined(secret, shared) };
    },
    begin() {
      const { encapsulationKey, decapsulate } = kem.generate();
      const curve = new X25519();
      return {
        init: Buffer.concat([encapsulationKey, curve.point]),
        finish(reply) {
          const [ciphertext, theirs] = halves(reply, CIPHERTEXT_BYTES);
          return combined(decapsulate(ciphertext), curve.secretWith(theirs));
        },
      };
    },
  };
}

/** C_INIT or S_REPLY: what is ML-KEM's, then a point of X25519. */
function halves(message: Buffer, kemBytes: number): readonly [kem: Buffer, point: Buffer] {
  const bytes = kemBytes + POINT_BYTES;
  if (message.length !== bytes) throw new Error(`${message.length} bytes where ${bytes} belong`);
  return [message.subarray(0, kemBytes), message.subarray(kemBytes)];
}

/** K = HASH(K_PQ || K_CL) */
function combined(postQuantum: Buffer, classical: Buffer): Buffer {
  return createHash('sha256').update(postQuantum).update(classical).digest();
}

/** One ephemeral key pair (RFC 7748, RFC 8731 3). */
class X25519 {
  readonly #privateKey: KeyObject;
  readonly point: Buffer;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('x25519');
    this.#privateKey = privateKey;
    this.point = publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length);
  }

  /** @throws Error where it would be all zeros, as with a point of low order: OpenSSL refuses that. */
  secretWith(point: Buffer): Buffer {
    const spki = Buffer.concat([SPKI_HEAD, point]);
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return diffieHellman({ privateKey: this.#privateKey, publicKey });
  }
}
