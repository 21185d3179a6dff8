import { createHash } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { algorithmOfBlob, isKeyAlgorithm, type PublicKey } from '../../domain/public-key.js';

/** RSA keys below this are within reach of factoring; OpenSSH lets users choose the same floor (RequiredRSASize). */
const SMALLEST_RSA_BITS = 2048;

/** A key that can be used here, with what verifies its signatures; or why it can't be used. */
export type KeyReading = { readonly key: PublicKey; readonly verifier: ParsedKey } | { readonly problem: string };

/** Reads a key in SSH wire format. The type is the one inside the blob, never a label beside it. */
export function readKeyBlob(blob: Buffer): KeyReading {
  const algorithm = algorithmOfBlob(blob);
  if (algorithm === undefined) return { problem: 'this is not a public key' };
  if (!isKeyAlgorithm(algorithm)) {
    return { problem: `keys of the type ${algorithm} are not supported; use Ed25519, ECDSA or RSA` };
  }
  const parsed = ssh2.utils.parseKey(blob);
  if (parsed instanceof Error || Array.isArray(parsed)) return { problem: 'this public key is damaged' };
  if (parsed.type !== algorithm || parsed.isPrivateKey() || !parsed.getPublicSSH().equals(blob)) {
    return { problem: 'this public key is damaged' };
  }
  if (algorithm === 'ssh-rsa' && rsaBits(blob) < SMALLEST_RSA_BITS) {
    return { problem: `RSA keys must have at least ${SMALLEST_RSA_BITS} bits; this one has ${rsaBits(blob)}` };
  }
  return { key: fingerprinted(algorithm, blob), verifier: parsed };
}

/** Reads one line of a `.pub` file or of an agent's list: `<type> <base64> [comment]`. Options are not accepted. */
export function readKeyLine(line: string): KeyReading & { readonly comment?: string } {
  const match = /^(\S+)\s+([A-Za-z0-9+/]+={0,2})(?:\s+(.*))?$/.exec(line.trim());
  if (match === null) {
    const advice = /PRIVATE KEY/.test(line) ? ': this is a private key; give the file that ends in .pub' : '';
    return { problem: `this is not a public key in OpenSSH's format${advice}` };
  }
  const reading = readKeyBlob(Buffer.from(match[2] ?? '', 'base64'));
  return match[3] === undefined ? reading : { ...reading, comment: match[3] };
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

/** Bits of the modulus: the third string of the blob (RFC 4253 6.6), an mpint without its leading zero. */
function rsaBits(blob: Buffer): number {
  const exponentAt = 4 + blob.readUInt32BE(0);
  const modulusAt = exponentAt + 4 + blob.readUInt32BE(exponentAt);
  const modulus = blob.subarray(modulusAt + 4, modulusAt + 4 + blob.readUInt32BE(modulusAt));
  const significant = modulus.subarray(modulus.findIndex((byte) => byte !== 0));
  return significant.length * 8 - Math.clz32(significant[0] ?? 0) + 24;
}
