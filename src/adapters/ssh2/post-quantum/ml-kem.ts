/** ML-KEM-768 (FIPS 203): by Node where it has it (24.7 and later, over OpenSSL 3.5), else by @noble/post-quantum. */
import crypto, { type KeyObject } from 'node:crypto';
import { ml_kem768 as noble } from '@noble/post-quantum/ml-kem.js';

export const ENCAPSULATION_KEY_BYTES = 1184;
export const CIPHERTEXT_BYTES = 1088;

/** A SubjectPublicKeyInfo up to the key (draft-ietf-lamps-kyber-certificates). */
const SPKI_HEAD = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');

export interface MlKem {
  /** Who does the computing. */
  readonly by: string;
  /** A new pair: the key to send to the peer, and what opens its answer. */
  generate(): { readonly encapsulationKey: Buffer; readonly decapsulate: Decapsulate };
  /**
   * A secret of 32 bytes, and what tells it to the holder of the key.
   * @throws Error for a key of another size, or with a coefficient that is not below the modulus (FIPS 203 7.2).
   */
  encapsulate(encapsulationKey: Buffer): { readonly ciphertext: Buffer; readonly secret: Buffer };
}

/**
 * The secret of 32 bytes. What is no ciphertext for this key gives some other one, which nobody else has (FIPS 203 6.3).
 * @throws Error for a ciphertext of another size.
 */
type Decapsulate = (ciphertext: Buffer) => Buffer;

/** What `node:crypto` has more from Node 24.7 on. */
interface CryptoWithKem {
  generateKeyPairSync(type: 'ml-kem-768'): { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  encapsulate(key: KeyObject): { readonly sharedKey: Buffer; readonly ciphertext: Buffer };
  decapsulate(key: KeyObject, ciphertext: Buffer): Buffer;
}

export const NOBLE: MlKem = {
  by: '@noble/post-quantum',
  generate() {
    const { publicKey, secretKey } = noble.keygen();
    return {
      encapsulationKey: Buffer.from(publicKey),
      decapsulate: (ciphertext) => Buffer.from(noble.decapsulate(ciphertext, secretKey)),
    };
  },
  encapsulate(encapsulationKey) {
    const { cipherText, sharedSecret } = noble.encapsulate(encapsulationKey);
    return { ciphertext: Buffer.from(cipherText), secret: Buffer.from(sharedSecret) };
  },
};

/** Undefined where this Node, or the OpenSSL that it runs with, has none. */
export const NODE: MlKem | undefined = nodes();

export const ML_KEM_768: MlKem = NODE ?? NOBLE;

function nodes(): MlKem | undefined {
  if (!hasKem(crypto)) return undefined;
  const kem = byNode(crypto);
  try {
    // Throws with an older OpenSSL, which a distribution may have built its Node with.
    kem.generate();
    return kem;
  } catch {
    return undefined;
  }
}

function hasKem(module: object): module is CryptoWithKem {
  return 'encapsulate' in module && 'decapsulate' in module;
}

function byNode(kem: CryptoWithKem): MlKem {
  return {
    by: 'Node',
    generate() {
      const { publicKey, privateKey } = kem.generateKeyPairSync('ml-kem-768');
      return {
        encapsulationKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length),
        decapsulate: (ciphertext) => kem.decapsulate(privateKey, ciphertext),
      };
    },
    encapsulate(encapsulationKey) {
      // Node reads the key and looks at nothing behind it.
      if (encapsulationKey.length !== ENCAPSULATION_KEY_BYTES) throw new Error('an encapsulation key of a wrong size');
      const spki = Buffer.concat([SPKI_HEAD, encapsulationKey]);
      const { ciphertext, sharedKey } = kem.encapsulate(
        crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }),
      );
      return { ciphertext, secret: sharedKey };
    },
  };
}
