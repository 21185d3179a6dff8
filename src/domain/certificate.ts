import type { PublicKey } from './public-key.js';

/**
 * An OpenSSH certificate (PROTOCOL.certkeys) whose signature by `authority` was verified, as plain data. Nothing is said
 * by it of whether the authority is trusted, nor of whether it is in force: `certificate-policy.ts` judges that.
 */
export interface Certificate {
  /** The type inside its blob, as `ssh-ed25519-cert-v01@openssh.com`. */
  readonly algorithm: string;
  readonly serial: bigint;
  /** What it was made for; OpenSSH knows user (1) and host (2) certificates. */
  readonly type: 'user' | 'host' | 'unknown';
  /** As its authority wrote it: print it only through `printable`. */
  readonly keyId: string;
  /** As its authority wrote them: print them only through `printable`. */
  readonly principals: readonly string[];
  /** In milliseconds since the epoch; `Infinity` where it is later than a number can say. */
  readonly validAfter: number;
  /** In milliseconds since the epoch, itself excluded; `Infinity` for ever. */
  readonly validBefore: number;
  /** In their order, the data as the text inside its SSH string; undefined where there is none, or no single string. */
  readonly criticalOptions: readonly { readonly name: string; readonly value?: string }[];
  /** Names of extensions, in their order. */
  readonly extensions: readonly string[];
  /** The key that signed it. */
  readonly authority: PublicKey;
  /** The name inside that signature, as `rsa-sha2-512`. */
  readonly signatureAlgorithm: string;
}
