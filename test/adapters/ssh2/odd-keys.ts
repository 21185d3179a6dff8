/** Keys that no client of today should hold, whole and working, for those who try them all the same. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { PublicKey } from '../../../src/domain/public-key.js';
import { string } from '../../support/ssh-bytes.js';

/** What a platform that took every key would know this one by. */
export function fingerprintOnly(blob: Buffer): PublicKey {
  const sha256 = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
  return { algorithm: 'ssh-ed25519', blob, sha256: `SHA256:${sha256}`, md5: '' };
}

/** A DSA key of 1024 bits and its signatures, as ssh-dss has them (RFC 4253 6.6). */
export function makeDsaKey(): { readonly blob: Buffer; sign(data: Buffer): Buffer } {
  const { publicKey, privateKey } = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 });
  const numbers = derIntegers(publicKey.export({ type: 'spki', format: 'der' }));
  return {
    blob: Buffer.concat([string('ssh-dss'), ...numbers.map(string)]),
    sign: (data) => sign('sha1', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

const DER = { INTEGER: 0x02, BIT_STRING: 0x03, SEQUENCE: 0x30 };

/** The numbers of a DER structure, in order; as DER writes them they are SSH's mpint. */
function derIntegers(der: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < der.length;) {
    const type = der.readUInt8(at);
    const short = der.readUInt8(at + 1);
    const sizeBytes = short < 0x80 ? 0 : short - 0x80;
    const begin = at + 2 + sizeBytes;
    const end = begin + (sizeBytes === 0 ? short : der.readUIntBE(at + 2, sizeBytes));
    const content = der.subarray(begin, end);
    if (type === DER.INTEGER) found.push(content);
    if (type === DER.SEQUENCE) found.push(...derIntegers(content));
    // The first byte of a bit string counts the unused bits of its last one.
    if (type === DER.BIT_STRING) found.push(...derIntegers(content.subarray(1)));
    at = end;
  }
  return found;
}

/** An ECDSA key whose point is not on its curve, so that verifying with it is an error and neither true nor false. */
export function makeBrokenEcdsaKey(): { readonly blob: Buffer; readonly signature: Buffer } {
  const point = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]);
  return {
    blob: Buffer.concat([string('ecdsa-sha2-nistp256'), string('nistp256'), string(point)]),
    signature: Buffer.concat([string(randomBytes(31)), string(randomBytes(31))]),
  };
}

/** A certificate that a client made for itself: its key, signed by itself as the authority (PROTOCOL.certkeys). */
export function selfMadeCertificate(key: { readonly blob: Buffer; sign(data: Buffer): Buffer }, principal: string) {
  const publicPart = key.blob.subarray(4 + 'ssh-ed25519'.length);
  const body = Buffer.concat([
    ...[string('ssh-ed25519-cert-v01@openssh.com'), string(randomBytes(32)), publicPart],
    ...[Buffer.alloc(8), Buffer.from([0, 0, 0, 1]), string('self-made'), string(string(principal))],
    ...[Buffer.alloc(8), Buffer.alloc(8, 0xff), string(''), string(''), string(''), string(key.blob)],
  ]);
  const signature = Buffer.concat([string('ssh-ed25519'), string(key.sign(body))]);
  return Buffer.concat([body, string(signature)]);
}
