/** Keys and certificates of users as they come over the wire, and the signatures that prove them. */
import { algorithmOfBlob, signatureAlgorithms } from '../../../domain/public-key.js';
import type { Proof } from '../../../domain/proof.js';
import { certificateName, certifiedAlgorithm, readCertificate } from './certificates.js';
import { Unreadable } from './fields.js';
import { readPlainKey, type PlainKey } from './plain-keys.js';
import { verifySignature, type Verdict } from './signatures.js';

/** A key or certificate that can be used here, with what verifies its signatures. */
export interface UserKey extends Proof {
  /** The names by which a log-in may ask for it, best first. */
  readonly algorithms: readonly string[];
  /**
   * Whether `signature`, its own name included, is by this key over `data`.
   * @param algorithm the name that the log-in asked by; the signature's must be the one that belongs to it.
   */
  verify(data: Buffer, signature: Buffer, algorithm: string): Verdict;
}

export type UserKeyReading = UserKey | { readonly problem: string };

/** Reads what a log-in request holds as its key. The type is the one inside the blob, never a label beside it. */
export function readUserKey(blob: Buffer): UserKeyReading {
  return reading(blob, (own) => {
    if (!isCertificate(own)) return userKey(readPlainKey(own), (name) => name);
    const { certified, certificate } = readCertificate(own);
    return { ...userKey(certified, certificateName), certificate };
  });
}

/** Whether a blob says it is a certificate. */
export function isCertificate(blob: Buffer): boolean {
  return certifiedAlgorithm(algorithmOfBlob(blob) ?? '') !== undefined;
}

/** As `readUserKey`, but no certificates. */
export function readPublicKey(blob: Buffer): UserKeyReading {
  return reading(blob, (own) => userKey(readPlainKey(own), (name) => name));
}

function reading(blob: Buffer, read: (own: Buffer) => UserKey): UserKeyReading {
  try {
    // A copy: the bytes of a message may be overwritten by the next one.
    return read(Buffer.from(blob));
  } catch (error) {
    if (error instanceof Unreadable) return { problem: error.message };
    throw error;
  }
}

/** @param asked how a log-in calls a signature's name. */
function userKey(plain: PlainKey, asked: (name: string) => string): UserKey {
  const names = signatureAlgorithms(plain.key.algorithm);
  return {
    key: plain.key,
    algorithms: names.map(asked),
    verify(data, signature, algorithm) {
      const name = names.find((each) => asked(each) === algorithm);
      return name === undefined ? { isProven: false } : verifySignature(plain, data, signature, name);
    },
  };
}
