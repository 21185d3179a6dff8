import type { Certificate } from './certificate.js';
import type { PublicKey } from './public-key.js';

/** What a client offers or has proven to hold: a key, and the certificate of it where one was shown. */
export interface Proof {
  /** With a certificate, the key that it certifies. */
  readonly key: PublicKey;
  readonly certificate?: Certificate;
}

/** A certificate that is in force, and whom it makes its holder. */
export interface CertifiedProof extends Required<Proof> {
  readonly user: string;
}

/** What two proofs have in common only if they are one and the same. */
export function proofId({ key, certificate }: Proof): string {
  if (certificate === undefined) return key.sha256;
  const { serial, keyId, authority, principals, validAfter, validBefore, criticalOptions } = certificate;
  const facts = [serial.toString(), keyId, authority.sha256, principals, validAfter, validBefore, criticalOptions];
  return `${key.sha256} ${JSON.stringify(facts)}`;
}
