/** The key that gitmouth logs in to dynos with. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import ssh2 from 'ssh2';
import type { KeyAlgorithm } from '../../domain/public-key.js';
import { readKeyFile, readablePrivateKey, writePrivate } from '../ssh2/key-file.js';

/**
 * What may be used. No RSA: whether ssh2 signs with SHA-1 or better by an RSA key is for the other side to say, which
 * is the dyno.
 */
const TYPES: readonly KeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
];

export interface ClientKey {
  /** The file's content. */
  readonly privateKey: string;
  /** A line for `authorized_keys`. */
  readonly publicKey: string;
  /** `SHA256:…` */
  readonly fingerprint: string;
}

/**
 * Reads the key of a file, or makes an Ed25519 one there, for nobody else to read (mode 0600).
 * @throws Error that names the file and says what to do, when the key can't be read or others may read it.
 */
export function loadOrCreateClientKey(path: string): ClientKey {
  if (!existsSync(path)) {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { mode: 0o700 });
    writePrivate(
      path,
      readablePrivateKey(() => ssh2.utils.generateKeyPairSync('ed25519', { comment: 'gitmouth' })),
    );
  }
  const { privateKey, publicLine, fingerprint } = readKeyFile(path, TYPES, 'client key');
  return { privateKey, publicKey: `${publicLine} gitmouth`, fingerprint };
}

/** @throws Error for a text that is no private key that may be used, without a word of it. */
export function checkClientKey(privateKey: string): void {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error || Array.isArray(parsed) || !parsed.isPrivateKey())
    throw new Error('the client key for dynos is no private key without a passphrase');
  const { type } = parsed;
  if (!TYPES.some((known) => known === type))
    throw new Error(`the client key for dynos is of the type ${type}: use an Ed25519 or ECDSA key`);
}
