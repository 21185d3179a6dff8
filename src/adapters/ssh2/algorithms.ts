import type { Algorithms } from 'ssh2';
import type { AlgorithmSet } from '../../domain/algorithm-set.js';
import { HYBRID_NAME } from './post-quantum/hybrid.js';

type KeyExchange =
  | typeof HYBRID_NAME
  | 'curve25519-sha256'
  | 'curve25519-sha256@libssh.org'
  | 'diffie-hellman-group16-sha512'
  | 'diffie-hellman-group14-sha256'
  | 'ecdh-sha2-nistp256'
  | 'ecdh-sha2-nistp384'
  | 'ecdh-sha2-nistp521';

type HostKeyAlgorithm = 'ssh-ed25519' | 'rsa-sha2-512' | 'rsa-sha2-256' | 'ecdsa-sha2-nistp256';

export interface OfferedAlgorithms extends Omit<Algorithms, 'kex'> {
  readonly kex: readonly KeyExchange[];
  /** The names a host key's signature may have, best first. */
  readonly serverHostKey: HostKeyAlgorithm[];
}

/**
 * Nothing with SHA-1, CBC, NIST curves for the key exchange or a MAC that is not encrypt-then-MAC; nor group18, one
 * exchange of which, for a stranger's made-up number, takes the server seven times as long as one of group16.
 */
const MODERN: OfferedAlgorithms = {
  kex: [HYBRID_NAME, 'curve25519-sha256', 'curve25519-sha256@libssh.org', 'diffie-hellman-group16-sha512'],
  serverHostKey: ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  // None before the log-in would inflate what strangers send; none after it would help, as packs are compressed.
  compress: ['none'],
};

/**
 * Also what old but living clients need, each behind what is better. Nothing of it is broken; SHA-1 stays out.
 *
 * JSch 0.1.x (old Eclipse and Jenkins) shares no key exchange without SHA-1 but those over NIST curves, and no host key
 * but ECDSA. Clients that know no elliptic curve (small builds of dropbear) share group14. Neither JSch nor libssh2
 * before 1.11 has an encrypt-then-MAC MAC; over CTR ciphers the plain SHA-2 MACs have no known attack.
 */
const COMPATIBLE: OfferedAlgorithms = {
  ...MODERN,
  kex: [
    HYBRID_NAME,
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'diffie-hellman-group16-sha512',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group14-sha256',
  ],
  serverHostKey: ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256', 'ecdsa-sha2-nistp256'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
};

export const ALGORITHMS: Readonly<Record<AlgorithmSet, OfferedAlgorithms>> = { modern: MODERN, compatible: COMPATIBLE };

/** What ssh2 is told of an offer: it takes no name that it does not know. `Wire.addKeyExchange` adds the hybrid. */
export function asSsh2Takes({
  kex,
  ...others
}: OfferedAlgorithms): Algorithms & Pick<OfferedAlgorithms, 'serverHostKey'> {
  return { ...others, kex: kex.filter((name) => name !== HYBRID_NAME) };
}
