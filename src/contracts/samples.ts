/** Keys, callers and sessions to ask ports about: made up, but well formed. */
import { createHash, randomBytes } from 'node:crypto';
import type { Certificate } from '../domain/certificate.js';
import type { GitRequest, GitService } from '../domain/git-request.js';
import type { CertifiedProof } from '../domain/proof.js';
import type { KeyAlgorithm, PublicKey } from '../domain/public-key.js';
import type { Caller, Connection, Session } from '../domain/session.js';

/** A fresh key in SSH wire format. */
export function sampleKey(algorithm: KeyAlgorithm = 'ssh-ed25519'): PublicKey {
  const blob = Buffer.concat([Buffer.from(algorithm), ...bodyOf(algorithm)].flatMap(sshString));
  return {
    algorithm,
    blob: new Uint8Array(blob),
    sha256: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
    md5: createHash('md5').update(blob).digest('hex'),
  };
}

function sshString(bytes: Uint8Array): Uint8Array[] {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

const POINT_BYTES = { 'ecdsa-sha2-nistp256': 64, 'ecdsa-sha2-nistp384': 96, 'ecdsa-sha2-nistp521': 132 };

/** What OpenSSH makes security keys for. */
const APPLICATION = Buffer.from('ssh:');

function bodyOf(algorithm: KeyAlgorithm): Uint8Array[] {
  switch (algorithm) {
    case 'ssh-ed25519':
      return [randomBytes(32)];
    case 'sk-ssh-ed25519@openssh.com':
      return [randomBytes(32), APPLICATION];
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return [...bodyOf('ecdsa-sha2-nistp256'), APPLICATION];
    case 'ssh-rsa':
      return [Buffer.from([1, 0, 1]), Buffer.concat([Buffer.from([0, 0x80]), randomBytes(383)])];
    default:
      return [
        Buffer.from(algorithm.slice('ecdsa-sha2-'.length)),
        Buffer.concat([Buffer.from([4]), randomBytes(POINT_BYTES[algorithm])]),
      ];
  }
}

export function sampleConnection(): Connection {
  return {
    id: `c-${randomBytes(6).toString('hex')}`,
    address: '192.0.2.7',
    port: 50_022,
    software: 'OpenSSH_9.6',
    login: 'git',
  };
}

export function sampleCaller(user: string, key: PublicKey = sampleKey()): Caller {
  return { connection: sampleConnection(), user: { name: user }, key };
}

/** Of a user and in force for ever, by an authority of its own. */
export function sampleCertificate(user: string, more: Partial<Certificate> = {}): Certificate {
  return {
    algorithm: 'ssh-ed25519-cert-v01@openssh.com',
    serial: 7n,
    type: 'user',
    keyId: `${user}@laptop`,
    principals: [user],
    validAfter: 0,
    validBefore: Infinity,
    criticalOptions: [],
    extensions: [],
    authority: sampleKey(),
    signatureAlgorithm: 'ssh-ed25519',
    ...more,
  };
}

/** A key that nobody has registered, with a certificate for the user. */
export function sampleCertified(user: string, key: PublicKey = sampleKey()): CertifiedProof {
  return { user, key, certificate: sampleCertificate(user) };
}

/** A caller who has shown a certificate. */
export function sampleCertifiedCaller(user: string, key: PublicKey = sampleKey()): Caller {
  return { ...sampleCaller(user, key), certificate: sampleCertificate(user) };
}

export function sampleRequest(service: GitService, app: string): GitRequest {
  return { service, app, protocol: 2 };
}

export function sampleSession(caller: Caller, service: GitService, app: string): Session {
  return { id: `s-${randomBytes(6).toString('hex')}`, caller, request: sampleRequest(service, app) };
}
