import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { AlgorithmSet } from '../../domain/algorithm-set.js';
import type { KeyAlgorithm } from '../../domain/public-key.js';
import { keyFileOf, readKeyFile, readablePrivateKey, writePrivate, type KeyFile } from './key-file.js';

/** Its `publicLine` is one for `known_hosts`, without the host's name. */
export type HostKey = KeyFile;

const ROLE = 'host key';

interface Kind {
  readonly file: string;
  readonly algorithm: KeyAlgorithm;
  readonly make: () => { private: string };
}

const ED25519: Kind = {
  file: 'ssh_host_ed25519_key',
  algorithm: 'ssh-ed25519',
  make: () => ssh2.utils.generateKeyPairSync('ed25519', { comment: 'gitmouth' }),
};

const RSA: Kind = {
  file: 'ssh_host_rsa_key',
  algorithm: 'ssh-rsa',
  make: () => ssh2.utils.generateKeyPairSync('rsa', { bits: 3072, comment: 'gitmouth' }),
};

const ECDSA: Kind = {
  file: 'ssh_host_ecdsa_key',
  algorithm: 'ecdsa-sha2-nistp256',
  make: () => ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256, comment: 'gitmouth' }),
};

const KINDS: Readonly<Record<AlgorithmSet, readonly Kind[]>> = {
  modern: [ED25519, RSA],
  compatible: [ED25519, RSA, ECDSA],
};

/**
 * The server's own keys, an Ed25519 and an RSA-3072 one, and an ECDSA P-256 one for old clients; those that are missing
 * are made, with mode 0600.
 * @param ownFile a key of the operator's own, in the place of the one of its type.
 * @throws Error that names the file and says what to do, when a key can't be read or others may read it.
 */
export function loadOrCreateHostKeys(folder: string, algorithms: AlgorithmSet, ownFile?: string): readonly HostKey[] {
  const { keys, keep } = readyHostKeys(folder, algorithms, ownFile);
  keep();
  return keys;
}

/** As `loadOrCreateHostKeys`, but those that are missing are written by `keep` alone. @throws Error as there; `keep`, when it can't write. */
export function readyHostKeys(
  folder: string,
  algorithms: AlgorithmSet,
  ownFile?: string,
): { readonly keys: readonly HostKey[]; readonly keep: () => void } {
  const own = ownKey(algorithms, ownFile);
  const made: HostKey[] = [];
  const keys = KINDS[algorithms].map((kind) => {
    if (own?.algorithm === kind.algorithm) return own;
    const path = join(folder, kind.file);
    if (existsSync(path)) return readKeyFile(path, [kind.algorithm], ROLE);
    const key = keyFileOf(path, readablePrivateKey(kind.make), [kind.algorithm]);
    made.push(key);
    return key;
  });
  const keep = () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const { path, privateKey } of made) writePrivate(path, privateKey);
  };
  return { keys, keep };
}

/** The keys that are there already; makes none. */
export function loadHostKeys(folder: string, algorithms: AlgorithmSet, ownFile?: string): readonly HostKey[] {
  const own = ownKey(algorithms, ownFile);
  const made = KINDS[algorithms]
    .filter(({ algorithm }) => algorithm !== own?.algorithm)
    .map(({ file, algorithm }) => ({ path: join(folder, file), algorithm }))
    .filter(({ path }) => existsSync(path))
    .map(({ path, algorithm }) => readKeyFile(path, [algorithm], ROLE));
  return own === undefined ? made : [own, ...made];
}

function ownKey(algorithms: AlgorithmSet, path: string | undefined): HostKey | undefined {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new Error(`there is no host key ${path}: put it there, or name another file`);
  const expected = KINDS[algorithms].map(({ algorithm }) => algorithm);
  return readKeyFile(path, expected, ROLE);
}
