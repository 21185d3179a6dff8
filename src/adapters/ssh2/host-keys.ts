import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { AlgorithmSet } from '../../domain/algorithm-set.js';
import type { KeyAlgorithm } from '../../domain/public-key.js';
import { readKeyBlob } from './public-keys.js';

export interface HostKey {
  readonly path: string;
  /** The private key file's content. */
  readonly privateKey: string;
  readonly algorithm: string;
  /** `SHA256:…` of the public half. */
  readonly fingerprint: string;
  /** The public half as one line for `known_hosts`, without the host's name. */
  readonly publicLine: string;
}

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
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const own = ownKey(algorithms, ownFile);
  return KINDS[algorithms].map((kind) => {
    if (own?.algorithm === kind.algorithm) return own;
    const path = join(folder, kind.file);
    if (!existsSync(path)) writePrivate(path, readablePrivateKey(kind.make));
    return readHostKey(path, [kind.algorithm]);
  });
}

/** The keys that are there already; makes none. */
export function loadHostKeys(folder: string, algorithms: AlgorithmSet, ownFile?: string): readonly HostKey[] {
  const own = ownKey(algorithms, ownFile);
  const made = KINDS[algorithms]
    .filter(({ algorithm }) => algorithm !== own?.algorithm)
    .map(({ file, algorithm }) => ({ path: join(folder, file), algorithm }))
    .filter(({ path }) => existsSync(path))
    .map(({ path, algorithm }) => readHostKey(path, [algorithm]));
  return own === undefined ? made : [own, ...made];
}

function ownKey(algorithms: AlgorithmSet, path: string | undefined): HostKey | undefined {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new Error(`there is no host key ${path}: put it there, or name another file`);
  return readHostKey(
    path,
    KINDS[algorithms].map(({ algorithm }) => algorithm),
  );
}

/** ssh2 drops a leading zero byte of an Ed25519 key (lib/keygen.js), so that one pair in 256 can't be read back. */
export function readablePrivateKey(make: () => { private: string }): string {
  for (;;) {
    const made = make().private;
    if (!(ssh2.utils.parseKey(made) instanceof Error)) return made;
  }
}

function readHostKey(path: string, expected: readonly KeyAlgorithm[]): HostKey {
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) {
    throw new Error(`others may read the host key ${path} (mode ${(mode & 0o777).toString(8)}): run chmod 600 ${path}`);
  }
  const privateKey = readFileSync(path, 'utf8');
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error || Array.isArray(parsed) || !parsed.isPrivateKey()) {
    throw new Error(
      `${path} holds no private key without a passphrase: put it back from a backup, or move it away to have a new one made`,
    );
  }
  const blob = parsed.getPublicSSH();
  const reading = readKeyBlob(blob);
  if ('problem' in reading) throw new Error(`${path}: ${reading.problem}`);
  // ssh2 would leave it out without a word, and clients that know this server by it would be turned away.
  if (!expected.includes(reading.key.algorithm)) {
    throw new Error(
      `${path} holds a key of the type ${reading.key.algorithm}, and one of ${expected.join(' or ')} belongs there: move it away to have one made`,
    );
  }
  return {
    path,
    privateKey,
    algorithm: reading.key.algorithm,
    fingerprint: reading.key.sha256,
    publicLine: `${reading.key.algorithm} ${blob.toString('base64')}`,
  };
}

/** Whole or not at all, also over a crash: a half-written host key would look like another server to every client. */
function writePrivate(path: string, content: string): void {
  const temporary = `${path}.new`;
  // One left behind by a crash might be readable by others.
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
