/** Public keys and the signatures that prove them, as plain data. */

/** Keys that live in a FIDO authenticator and say in each signature whether their user was there (OpenSSH's PROTOCOL.u2f). */
export const SECURITY_KEY_ALGORITHMS = ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const;

/** Key types a user may hold. The name is the one inside the key blob (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4). */
export const KEY_ALGORITHMS = [
  'ssh-ed25519',
  ...SECURITY_KEY_ALGORITHMS,
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
] as const;

export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

export interface PublicKey {
  readonly algorithm: KeyAlgorithm;
  /** The key in SSH wire format: the decoded base64 part of an OpenSSH public key line. */
  readonly blob: Uint8Array;
  /** `SHA256:` and unpadded base64, as OpenSSH prints it. What people and logs see. */
  readonly sha256: string;
  /** 32 lower-case hexadecimal digits, without colons: what older platforms look keys up by. */
  readonly md5: string;
}

/**
 * Names a signature by this key type may carry, best first (RFC 8332 3 for RSA).
 *
 * `ssh-rsa` as a signature name means SHA-1 and is never among them.
 */
export function signatureAlgorithms(algorithm: KeyAlgorithm): readonly string[] {
  return algorithm === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [algorithm];
}

export function isKeyAlgorithm(name: string): name is KeyAlgorithm {
  return (KEY_ALGORITHMS as readonly string[]).includes(name);
}

/** Whether keys of this type can verify their user, by a PIN or a fingerprint, and say so in a signature. */
export function isSecurityKey(algorithm: KeyAlgorithm): boolean {
  return (SECURITY_KEY_ALGORITHMS as readonly string[]).includes(algorithm);
}

/** Every signature name that is accepted, for `server-sig-algs` (RFC 8308 3.1). A certificate's key signs by the names of plain keys. */
export function acceptedSignatureAlgorithms(): readonly string[] {
  return KEY_ALGORITHMS.flatMap(signatureAlgorithms);
}

/** The type a key blob says it is: its first SSH string (RFC 4251 5), or undefined when there is none. */
export function algorithmOfBlob(blob: Uint8Array): string | undefined {
  const [b0, b1, b2, b3] = blob;
  if (b0 === undefined || b1 === undefined || b2 === undefined || b3 === undefined) return undefined;
  const length = b0 * 0x1000000 + b1 * 0x10000 + b2 * 0x100 + b3;
  if (length === 0 || length > 64 || blob.length < 4 + length) return undefined;
  return String.fromCharCode(...blob.subarray(4, 4 + length));
}

/** `SHA256:` followed by the 43 characters of an unpadded base64 SHA-256, or undefined when the text is no fingerprint. */
export function parseSha256Fingerprint(text: string): string | undefined {
  const match = /^(?:SHA256:)?([A-Za-z0-9+/]{43})=?$/.exec(text.trim());
  return match ? `SHA256:${match[1]}` : undefined;
}
