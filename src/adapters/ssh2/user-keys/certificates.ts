import type { Certificate } from '../../../domain/certificate.js';
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../../../domain/public-key.js';
import { Fields, Unreadable } from './fields.js';
import { readKeyFields, readPlainKey, typeOf, unsupported, type PlainKey } from './plain-keys.js';
import { verifySignature } from './signatures.js';

/** A key with the certificate of it. */
export interface CertifiedKey {
  readonly certified: PlainKey;
  readonly certificate: Certificate;
}

/** As many as OpenSSH takes (SSHKEY_CERT_MAX_PRINCIPALS). */
const MOST_PRINCIPALS = 256;

/** More than any that is in use. */
const MOST_OPTIONS = 64;
const LONGEST_KEY_ID = 1024;

const DAMAGED = 'this certificate is damaged';
const FOREVER = 0xffff_ffff_ffff_ffffn;

/** What a certificate of a key of this type is called: in its blob, or by a signature's name in a request. */
export function certificateName(name: string): string {
  return name.replace(/(@openssh\.com)?$/, '-cert-v01@openssh.com');
}

/** The type of the key that a certificate of this type is of; undefined where it is no certificate's. */
export function certifiedAlgorithm(type: string): KeyAlgorithm | undefined {
  return KEY_ALGORITHMS.find((algorithm) => certificateName(algorithm) === type);
}

/**
 * Reads a certificate (PROTOCOL.certkeys) and verifies its authority's signature over all that comes before it.
 * @throws Unreadable for anything but one that is whole and signed by a plain key, not by SHA-1.
 */
export function readCertificate(blob: Buffer): CertifiedKey {
  const type = typeOf(blob);
  const algorithm = certifiedAlgorithm(type);
  if (algorithm === undefined) throw new Unreadable(unsupported(type));
  const fields = new Fields(blob, DAMAGED);
  fields.string();
  fields.string(); // The nonce, which the authority has made up.
  const certified = readKeyFields(algorithm, fields);
  const said = readStatements(fields);
  fields.string(); // Reserved, and ignored in this version.
  const authority = readAuthority(fields.string());
  const signed = fields.since(0);
  const signature = fields.string();
  fields.end();
  const signatureAlgorithm = verifiedBy(authority, signed, signature, fields);
  return { certified, certificate: { algorithm: type, ...said, authority: authority.key, signatureAlgorithm } };
}

type Statements = Omit<Certificate, 'algorithm' | 'authority' | 'signatureAlgorithm'>;

function readStatements(fields: Fields): Statements {
  const serial = fields.uint64();
  const type = typeOfUse(fields.uint32());
  const keyId = fields.text();
  if (keyId.length > LONGEST_KEY_ID) fields.fail();
  const principals = readPrincipals(fields.within());
  const validAfter = milliseconds(fields.uint64());
  const validBefore = milliseconds(fields.uint64());
  const criticalOptions = readOptions(fields.within());
  const extensions = readOptions(fields.within()).map(({ name }) => name);
  return { serial, type, keyId, principals, validAfter, validBefore, criticalOptions, extensions };
}

function typeOfUse(type: number): Certificate['type'] {
  if (type === 1) return 'user';
  return type === 2 ? 'host' : 'unknown';
}

function readPrincipals(list: Fields): readonly string[] {
  const principals: string[] = [];
  while (!list.isAtEnd) {
    principals.push(list.text());
    if (principals.length > MOST_PRINCIPALS) list.fail(`a certificate may name ${MOST_PRINCIPALS} principals`);
  }
  return principals;
}

/** Each name once, in lexical order, as PROTOCOL.certkeys demands. */
function readOptions(list: Fields): Certificate['criticalOptions'] {
  const options: { readonly name: string; readonly value?: string }[] = [];
  while (!list.isAtEnd) {
    const name = list.text();
    const value = valueOf(list.string());
    const previous = options.at(-1);
    const isInOrder = previous === undefined || Buffer.compare(Buffer.from(previous.name), Buffer.from(name)) < 0;
    if (name === '' || !isInOrder || options.length === MOST_OPTIONS) list.fail();
    options.push(value === undefined ? { name } : { name, value });
  }
  return options;
}

/** An option's data is a string in a string, or nothing. */
function valueOf(data: Buffer): string | undefined {
  if (data.length === 0) return undefined;
  try {
    const fields = new Fields(data, DAMAGED);
    const value = fields.text();
    fields.end();
    return value;
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

function readAuthority(blob: Buffer): PlainKey {
  const isCertificate = certifiedAlgorithm(typeOf(blob)) !== undefined;
  if (isCertificate) throw new Unreadable('this certificate is signed by another certificate');
  return readPlainKey(blob);
}

/** @returns the signature's name. */
function verifiedBy(authority: PlainKey, signed: Buffer, signature: Buffer, fields: Fields): string {
  const name = new Fields(signature, DAMAGED).string().toString('latin1');
  if (verifySignature(authority, signed, signature, name).isProven) return name;
  return fields.fail("this certificate's signature is not one of its authority's");
}

/** From seconds; later than a number can say is for ever. */
function milliseconds(seconds: bigint): number {
  const isBeyond = seconds === FOREVER || seconds > BigInt(Number.MAX_SAFE_INTEGER) / 1000n;
  return isBeyond ? Infinity : Number(seconds) * 1000;
}
