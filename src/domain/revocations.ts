import type { Certificate } from './certificate.js';
import type { PublicKey } from './public-key.js';

/** What is taken back before its time: as ssh-keygen(1) has it under KEY REVOCATION LISTS. */
export interface Revocations {
  /** SHA-256 fingerprints of keys: of users, whether certified or not, and of authorities. */
  readonly keys: ReadonlySet<string>;
  readonly serials: readonly RevokedSerials[];
  readonly keyIds: readonly RevokedKeyId[];
}

/** Certificates by their serials, the last one included. */
export interface RevokedSerials {
  /** The fingerprint of the authority they are of; of any where there is none. */
  readonly authority?: string;
  readonly first: bigint;
  readonly last: bigint;
}

/** Certificates by their key id. */
export interface RevokedKeyId {
  readonly authority?: string;
  readonly keyId: string;
}

export const NOTHING_REVOKED: Revocations = { keys: new Set(), serials: [], keyIds: [] };

export function isKeyRevoked({ keys }: Revocations, key: PublicKey): boolean {
  return keys.has(key.sha256);
}

/** Whether the certificate itself, the key in it, or its authority is revoked. */
export function isCertificateRevoked(revocations: Revocations, key: PublicKey, certificate: Certificate): boolean {
  const { authority, serial, keyId } = certificate;
  const isOf = (entry: { readonly authority?: string }) =>
    entry.authority === undefined || entry.authority === authority.sha256;
  return (
    isKeyRevoked(revocations, key) ||
    isKeyRevoked(revocations, authority) ||
    revocations.serials.some((entry) => isOf(entry) && entry.first <= serial && serial <= entry.last) ||
    revocations.keyIds.some((entry) => isOf(entry) && entry.keyId === keyId)
  );
}
