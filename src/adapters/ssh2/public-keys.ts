import { createHash } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { algorithmOfBlob, isKeyAlgorithm, type PublicKey } from '../../domain/public-key.js';

/** RSA keys below this are within reach of factoring; OpenSSH lets users choose the same floor (RequiredRSASize). */
const SMALLEST_RSA_BITS = 2048;

/** What people hand in instead of a `.pub` line, and what to do then. */
const OTHER_FORMATS = [
  { mark: 'PRIVATE KEY', advice: 'this is a private key: give the file that ends in .pub' },
  { mark: 'PuTTY-User-Key-File', advice: "this is PuTTY's private key: copy its public key from PuTTYgen's window" },
  { mark: 'SSH2 PUBLIC KEY', advice: 'this is a public key in another format: convert it with ssh-keygen -i -f FILE' },
];

/** A key that can be used here, with what verifies its signatures; or why it can't be used. */
export type KeyReading = { readonly key: PublicKey; readonly verifier: ParsedKey } | { readonly problem: string };

/** Reads a key in SSH wire format. The type is the one inside the blob, never a label beside it. */
export function readKeyBlob(blob: Buffer): KeyReading {
  const algorithm = algorithmOfBlob(blob);
  if (algorithm === undefined) return { problem: 'this is not a public key' };
  if (!isKeyAlgorithm(algorithm)) {
    return { problem: `keys of the type ${algorithm} are not supported; use Ed25519, ECDSA or RSA` };
  }
  const parsed = parse(blob);
  if (parsed === undefined) return { problem: 'this public key is damaged' };
  if (parsed.type !== algorithm || parsed.isPrivateKey() || !parsed.getPublicSSH().equals(blob)) {
    return { problem: 'this public key is damaged' };
  }
  if (algorithm === 'ssh-rsa') {
    const { exponent, modulus } = rsaNumbers(blob);
    if (!isPlainNumber(exponent) || !isPlainNumber(modulus)) return { problem: 'this public key is damaged' };
    if (bitsOf(modulus) < SMALLEST_RSA_BITS) {
      return { problem: `RSA keys must have at least ${SMALLEST_RSA_BITS} bits; this one has ${bitsOf(modulus)}` };
    }
  }
  return { key: fingerprinted(algorithm, blob), verifier: parsed };
}

/** Reads one line of a `.pub` file or of an agent's list: `<type> <base64> [comment]`. Options are not accepted. */
export function readKeyLine(line: string): KeyReading & { readonly comment?: string } {
  const otherFormat = OTHER_FORMATS.find(({ mark }) => line.includes(mark));
  if (otherFormat !== undefined) return { problem: otherFormat.advice };
  const match = /^(\S+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*))?$/.exec(line.trim());
  if (match === null) return { problem: "this is not a public key in OpenSSH's format: <type> <base64> [comment]" };
  const reading = readKeyBlob(Buffer.from(match[2] ?? '', 'base64'));
  return match[3] === undefined ? reading : { ...reading, comment: match[3] };
}

/** Undefined for what can't be read; ssh2 throws for an RSA key with an empty number, and answers an Error otherwise. */
function parse(blob: Buffer): ParsedKey | undefined {
  try {
    const parsed = ssh2.utils.parseKey(blob);
    return parsed instanceof Error || Array.isArray(parsed) ? undefined : parsed;
  } catch {
    return undefined;
  }
}

function fingerprinted(algorithm: PublicKey['algorithm'], blob: Buffer): PublicKey {
  const sha256 = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
  return {
    algorithm,
    blob: new Uint8Array(blob),
    sha256: `SHA256:${sha256}`,
    md5: createHash('md5').update(blob).digest('hex'),
  };
}

/** Exponent and modulus: the second and third string of the blob (RFC 4253 6.6). */
function rsaNumbers(blob: Buffer): { readonly exponent: Buffer; readonly modulus: Buffer } {
  const exponentAt = 4 + blob.readUInt32BE(0);
  const modulusAt = exponentAt + 4 + blob.readUInt32BE(exponentAt);
  const stringAt = (at: number) => blob.subarray(at + 4, at + 4 + blob.readUInt32BE(at));
  return { exponent: stringAt(exponentAt), modulus: stringAt(modulusAt) };
}

/** Positive and without a needless leading zero (RFC 4251 5): otherwise one key would have many fingerprints. */
function isPlainNumber(bytes: Buffer): boolean {
  const [first = 0x80, second = 0x80] = bytes;
  return first < 0x80 && (first !== 0 || second >= 0x80);
}

function bitsOf(number: Buffer): number {
  const significant = number[0] === 0 ? number.subarray(1) : number;
  return significant.length * 8 - Math.clz32(significant[0] ?? 0) + 24;
}
