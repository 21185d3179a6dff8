import { createHash, verify, type KeyObject } from 'node:crypto';
import { isSecurityKey, signatureAlgorithms } from '../../../domain/public-key.js';
import { Fields, Unreadable } from './fields.js';
import { curveOf, type Curve, type PlainKey } from './plain-keys.js';

/** What a signature proves. */
export type Verdict =
  | { readonly isProven: false }
  /** `isUserVerified`: a security key says that it knew its user, by a PIN or a fingerprint. */
  | { readonly isProven: true; readonly isUserVerified: boolean };

const UNPROVEN: Verdict = { isProven: false };

/** What a security key says along with its signature (PROTOCOL.u2f): somebody touched it; it knew whom. */
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;

const HASH_OF_CURVE: Readonly<Record<Curve, string>> = { nistp256: 'sha256', nistp384: 'sha384', nistp521: 'sha512' };

/**
 * Whether `signature`, a name and what belongs to it (RFC 4253 6.6), is by this key over `data`. One of a security key
 * counts only where somebody was there.
 * @param algorithm the name that the signature must have, which must be one of the key's.
 */
export function verifySignature(plain: PlainKey, data: Buffer, signature: Buffer, algorithm: string): Verdict {
  if (!signatureAlgorithms(plain.key.algorithm).includes(algorithm)) return UNPROVEN;
  try {
    const fields = new Fields(signature, 'this signature is damaged');
    if (fields.string().toString('latin1') !== algorithm) return UNPROVEN;
    const content = fields.string();
    if (isSecurityKey(plain.key.algorithm)) return verifyAsserted(plain, data, content, fields);
    fields.end();
    return isSigned(plain, data, content, algorithm) ? { isProven: true, isUserVerified: false } : UNPROVEN;
  } catch (error) {
    if (error instanceof Unreadable) return UNPROVEN;
    throw error;
  }
}

/** PROTOCOL.u2f, "SSH U2F signatures". */
function verifyAsserted(plain: PlainKey, data: Buffer, content: Buffer, fields: Fields): Verdict {
  const start = fields.position;
  const flags = fields.byte();
  fields.uint32();
  const flagsAndCounter = fields.since(start);
  fields.end();
  if ((flags & USER_PRESENT) === 0) return UNPROVEN;
  const signed = Buffer.concat([sha256(plain.application ?? Buffer.alloc(0)), flagsAndCounter, sha256(data)]);
  if (!isSigned(plain, signed, content, plain.key.algorithm)) return UNPROVEN;
  return { isProven: true, isUserVerified: (flags & USER_VERIFIED) !== 0 };
}

function isSigned({ key, verifier }: PlainKey, data: Buffer, content: Buffer, algorithm: string): boolean {
  const curve = curveOf(key.algorithm);
  if (curve !== undefined) {
    const joined = joinedHalves(content, curve.bytes);
    return isTrue(HASH_OF_CURVE[curve.name], data, verifier, joined, { dsaEncoding: 'ieee-p1363' });
  }
  if (key.algorithm !== 'ssh-rsa') return isTrue(null, data, verifier, content);
  const hash = algorithm === 'rsa-sha2-512' ? 'sha512' : 'sha256';
  return isTrue(hash, data, verifier, asLongAsModulus(content, verifier));
}

function isTrue(
  hash: string | null,
  data: Buffer,
  key: KeyObject,
  signature: Buffer | undefined,
  options: { readonly dsaEncoding?: 'ieee-p1363' } = {},
): boolean {
  if (signature === undefined) return false;
  try {
    return verify(hash, data, { key, ...options }, signature);
  } catch {
    // OpenSSL can't verify by this key: that is no proof either.
    return false;
  }
}

/** r and s (RFC 5656 3.1.2), each as long as the curve has it; undefined where one is longer. */
function joinedHalves(content: Buffer, bytes: number): Buffer | undefined {
  const fields = new Fields(content, 'this signature is damaged');
  const halves = [fields.positive(), fields.positive()];
  fields.end();
  if (halves.some((half) => half.length > bytes)) return undefined;
  return Buffer.concat(halves.flatMap((half) => [Buffer.alloc(bytes - half.length), half]));
}

/** RFC 8332 3 has the signature as long as the modulus; some clients leave out leading zeros, and OpenSSH puts them back. */
function asLongAsModulus(content: Buffer, key: KeyObject): Buffer | undefined {
  const bytes = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  return content.length > bytes ? undefined : Buffer.concat([Buffer.alloc(bytes - content.length), content]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
