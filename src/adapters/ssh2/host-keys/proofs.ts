/**
 * Host keys told to clients that have logged in, and proven to them, so that they learn of new ones by themselves
 * (OpenSSH's PROTOCOL 2.5).
 */
import { createPrivateKey, sign } from 'node:crypto';
import ssh2 from 'ssh2';
import type { HostKey } from './files.js';
import type { ServerWire } from '../internals.js';
import { boolean, message, MESSAGE, mpint, string, strings } from '../messages.js';

const ANNOUNCEMENT = 'hostkeys-00@openssh.com';
const REQUEST = 'hostkeys-prove-00@openssh.com';

/** To be called once, after the log-in. */
export function announceHostKeys(wire: ServerWire, keys: readonly HostKey[]): void {
  const blobs = keys.map(({ blob }) => string(blob));
  wire.post(message(MESSAGE.GLOBAL_REQUEST, string(ANNOUNCEMENT), boolean(false), ...blobs));
}

/**
 * Answers what asks for proofs: with all of them or none, and each key is proven once over a connection, as a signature
 * by an RSA key takes milliseconds. Whoever asks for more, or before the log-in, gets none.
 */
export function proveHostKeys(wire: ServerWire, keys: readonly HostKey[]): void {
  const unproven = new Map(keys.map((key) => [key.blob.toString('base64'), key]));

  const proofs = (asked: unknown): readonly Buffer[] | undefined => {
    const { sessionId } = wire;
    const blobs = Buffer.isBuffer(asked) ? strings(asked, unproven.size) : undefined;
    if (sessionId === undefined || blobs === undefined || blobs.length === 0) return undefined;
    const names = new Set(blobs.map((blob) => blob.toString('base64')));
    const wanted = [...names].flatMap((name) => unproven.get(name) ?? []);
    if (wanted.length < blobs.length) return undefined;
    for (const name of names) unproven.delete(name);
    return wanted.map((key) => {
      const signed = Buffer.concat([REQUEST, sessionId, key.blob].map(string));
      return signatureOf(key, signed, wire.negotiated?.hostKey);
    });
  };

  wire.intercept('GLOBAL_REQUEST', (proceed, name, wantReply, asked) => {
    if (name !== REQUEST) {
      proceed(name, wantReply, asked);
      return;
    }
    if (!wantReply) return;
    const proven = proofs(asked);
    if (proven === undefined) wire.post(message(MESSAGE.REQUEST_FAILURE));
    else wire.post(message(MESSAGE.REQUEST_SUCCESS, ...proven.map(string)));
  });
}

/**
 * The name of the algorithm, and what it makes of the data (RFC 4253 6.6, RFC 5656 3.1.2, RFC 8332 3, RFC 8709 6).
 * @param negotiated what the key exchange was signed with: the way in which an RSA key signs, where it says one.
 */
function signatureOf({ privateKey, algorithm }: HostKey, data: Buffer, negotiated: string | undefined): Buffer {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  const key = createPrivateKey(parsed.getPrivatePEM());
  switch (algorithm) {
    case 'ssh-ed25519':
      return named(algorithm, sign(null, data, key));
    case 'ssh-rsa': {
      const isShort = negotiated === 'rsa-sha2-256';
      return named(isShort ? negotiated : 'rsa-sha2-512', sign(isShort ? 'sha256' : 'sha512', data, key));
    }
    case 'ecdsa-sha2-nistp256': {
      const pair = sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
      const half = pair.length / 2;
      return named(algorithm, Buffer.concat([mpint(pair.subarray(0, half)), mpint(pair.subarray(half))]));
    }
    default:
      throw new Error(`a host key of the type ${algorithm} can't prove anything here`);
  }
}

function named(algorithm: string, signature: Buffer): Buffer {
  return Buffer.concat([string(algorithm), string(signature)]);
}
