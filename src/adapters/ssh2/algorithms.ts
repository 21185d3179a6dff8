import type { Algorithms } from 'ssh2';

/** The names a host key's signature may have, best first. */
export const HOST_KEY_ALGORITHMS: ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'] = [
  'ssh-ed25519',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/**
 * What is offered: nothing with SHA-1, CBC, NIST curves for the key exchange or a MAC that is not encrypt-then-MAC,
 * and no compression, which would inflate what strangers send before they log in.
 */
export const ALGORITHMS: Algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
  ],
  serverHostKey: HOST_KEY_ALGORITHMS,
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  compress: ['none'],
};
