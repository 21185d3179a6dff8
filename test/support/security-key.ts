/** A security key in software: what a FIDO authenticator answers, in OpenSSH's form of it (PROTOCOL.u2f). */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { string, uint32 } from './ssh-bytes.js';

export const FLAGS = { NONE: 0, PRESENT: 0x01, VERIFIED: 0x04, PRESENT_AND_VERIFIED: 0x05 } as const;

export type SecurityKeyType = 'ed25519-sk' | 'ecdsa-sk';

export const SECURITY_KEY_TYPES: readonly SecurityKeyType[] = ['ed25519-sk', 'ecdsa-sk'];

/** What is said in a signature; by default what a touched key says. */
export interface Assertion {
  readonly flags?: number;
  readonly counter?: number;
  /** What is hashed into the signature, where that is not what the key was made for. */
  readonly application?: string;
}

export interface SecurityKey {
  readonly algorithm: string;
  readonly blob: Buffer;
  /** As a line of a `.pub` file. */
  readonly line: string;
  /** A whole signature: name, bytes, flags and counter. */
  sign(data: Buffer, assertion?: Assertion): Buffer;
}

export function makeSecurityKey(type: SecurityKeyType = 'ed25519-sk', madeFor = 'ssh:'): SecurityKey {
  const { algorithm, body, signRaw } = type === 'ed25519-sk' ? ed25519() : ecdsa();
  const blob = Buffer.concat([string(algorithm), body, string(madeFor)]);
  return {
    algorithm,
    blob,
    line: `${algorithm} ${blob.toString('base64')} software`,
    sign(data, { flags = FLAGS.PRESENT, counter = 1, application = madeFor } = {}) {
      const said = Buffer.concat([Buffer.from([flags]), uint32(counter)]);
      const raw = signRaw(Buffer.concat([sha256(application), said, sha256(data)]));
      return Buffer.concat([string(algorithm), string(raw), said]);
    },
  };
}

function ed25519() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const signRaw = (data: Buffer) => sign(null, data, privateKey);
  return { algorithm: 'sk-ssh-ed25519@openssh.com', body: string(Buffer.from(x, 'base64url')), signRaw };
}

function ecdsa() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const signRaw = (data: Buffer) => {
    const halves = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return Buffer.concat([mpint(halves.subarray(0, 32)), mpint(halves.subarray(32))]);
  };
  const body = Buffer.concat([string('nistp256'), string(point)]);
  return { algorithm: 'sk-ecdsa-sha2-nistp256@openssh.com', body, signRaw };
}

/** A positive number, RFC 4251 5. */
export function mpint(number: Buffer): Buffer {
  const start = number.findIndex((byte) => byte !== 0);
  const shortest = start === -1 ? Buffer.alloc(0) : number.subarray(start);
  return string((shortest[0] ?? 0) < 0x80 ? shortest : Buffer.concat([Buffer.alloc(1), shortest]));
}

function sha256(content: string | Buffer): Buffer {
  return createHash('sha256').update(content).digest();
}
