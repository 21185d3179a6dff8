import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import {
  algorithmOfBlob,
  isKeyAlgorithm,
  isSecurityKey,
  type KeyAlgorithm,
  type PublicKey,
} from '../../../domain/public-key.js';
import { Fields, stringField, Unreadable } from './fields.js';

/** RSA keys below this are within reach of factoring; OpenSSH lets users choose the same floor (RequiredRSASize). */
const SMALLEST_RSA_BITS = 2048;

/** What OpenSSL verifies at most. */
const LARGEST_RSA_BITS = 16_384;

/** Ones in use have 1 to 3; a long one makes each verifying long. */
const LONGEST_EXPONENT_BYTES = 8;

const ED25519_BYTES = 32;

/** By the name of the curve in a key blob (RFC 5656 3.1); the size is that of a coordinate. */
const CURVES = {
  nistp256: { crv: 'P-256', bytes: 32 },
  nistp384: { crv: 'P-384', bytes: 48 },
  nistp521: { crv: 'P-521', bytes: 66 },
} as const;

export type Curve = keyof typeof CURVES;

/** A key that is no certificate, with what its signatures are verified by. */
export interface PlainKey {
  readonly key: PublicKey;
  readonly verifier: KeyObject;
  /** Of a security key: what it was made for, as `ssh:`; each signature is bound to it. */
  readonly application?: Buffer;
}

/** @throws Unreadable for anything but one key that is whole, of a known type and strong enough. */
export function readPlainKey(blob: Buffer): PlainKey {
  const type = typeOf(blob);
  if (!isKeyAlgorithm(type)) throw new Unreadable(unsupported(type));
  const fields = new Fields(blob, 'this public key is damaged');
  fields.string();
  const key = readKeyFields(type, fields);
  fields.end();
  return key;
}

/** Reads what follows the type in a key's blob, and the nonce in a certificate's. @throws Unreadable. */
export function readKeyFields(algorithm: KeyAlgorithm, fields: Fields): PlainKey {
  const start = fields.position;
  const jwk = readNumbers(algorithm, fields);
  const application = isSecurityKey(algorithm) ? fields.string() : undefined;
  const blob = Buffer.concat([stringField(algorithm), fields.since(start)]);
  return {
    key: fingerprinted(algorithm, blob),
    verifier: verifierOf(jwk, fields),
    ...(application === undefined ? {} : { application }),
  };
}

/** The type a blob begins with. @throws Unreadable. */
export function typeOf(blob: Buffer): string {
  const type = algorithmOfBlob(blob);
  if (type === undefined || !/^[\x21-\x7e]+$/.test(type)) throw new Unreadable('this is not a public key');
  return type;
}

export function unsupported(type: string): string {
  return `keys of the type ${type} are not supported; use Ed25519, ECDSA or RSA`;
}

/** The curve of an ECDSA key, with the size of its coordinates and of each half of a signature. */
export function curveOf(algorithm: KeyAlgorithm): { readonly name: Curve; readonly bytes: number } | undefined {
  const name = /nistp\d+/.exec(algorithm)?.[0];
  return name === undefined || !isCurve(name) ? undefined : { name, bytes: CURVES[name].bytes };
}

function isCurve(name: string): name is Curve {
  return Object.hasOwn(CURVES, name);
}

function readNumbers(algorithm: KeyAlgorithm, fields: Fields): JsonWebKey {
  if (algorithm === 'ssh-rsa') return readRsa(fields);
  const curve = curveOf(algorithm);
  return curve === undefined ? readEd25519(fields) : readPoint(curve.name, fields);
}

/** RFC 8709 4 */
function readEd25519(fields: Fields): JsonWebKey {
  const point = fields.string();
  if (point.length !== ED25519_BYTES) fields.fail();
  return { kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') };
}

/** RFC 5656 3.1; of the ways to write a point the one that OpenSSH takes, uncompressed. */
function readPoint(curve: Curve, fields: Fields): JsonWebKey {
  const { crv, bytes } = CURVES[curve];
  if (fields.string().toString('latin1') !== curve) fields.fail();
  const point = fields.string();
  const isUncompressed = point[0] === 4 && point.length === 1 + 2 * bytes;
  if (!isUncompressed) fields.fail();
  const [x, y] = [point.subarray(1, 1 + bytes), point.subarray(1 + bytes)];
  return { kty: 'EC', crv, x: x.toString('base64url'), y: y.toString('base64url') };
}

/** RFC 4253 6.6. Of one key there is one blob, and so one fingerprint. */
function readRsa(fields: Fields): JsonWebKey {
  const exponent = fields.positive();
  const modulus = fields.positive();
  const bits = bitsOf(modulus);
  if (bits < SMALLEST_RSA_BITS) {
    fields.fail(`RSA keys must have at least ${SMALLEST_RSA_BITS} bits; this one has ${bits}`);
  }
  if (bits > LARGEST_RSA_BITS) fields.fail(`RSA keys may have ${LARGEST_RSA_BITS} bits; this one has ${bits}`);
  // What is even has no inverse; whoever knows a key with the exponent 1 can sign by it.
  const isExponent = isOdd(exponent) && bitsOf(exponent) > 1 && exponent.length <= LONGEST_EXPONENT_BYTES;
  if (!isExponent || !isOdd(modulus)) fields.fail();
  return { kty: 'RSA', e: exponent.toString('base64url'), n: modulus.toString('base64url') };
}

/** OpenSSL refuses what is no point of its curve. */
function verifierOf(jwk: JsonWebKey, fields: Fields): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return fields.fail();
  }
}

function fingerprinted(algorithm: KeyAlgorithm, blob: Buffer): PublicKey {
  const sha256 = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
  return {
    algorithm,
    blob: new Uint8Array(blob),
    sha256: `SHA256:${sha256}`,
    md5: createHash('md5').update(blob).digest('hex'),
  };
}

function isOdd(number: Buffer): boolean {
  return (number.at(-1) ?? 0) % 2 === 1;
}

/** Of a number without leading zero bytes. */
function bitsOf(number: Buffer): number {
  return number.length * 8 - Math.clz32(number[0] ?? 0) + 24;
}
