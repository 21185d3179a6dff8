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

const KINDS = [
  { file: 'ssh_host_ed25519_key', make: () => ssh2.utils.generateKeyPairSync('ed25519', { comment: 'gitmouth' }) },
  { file: 'ssh_host_rsa_key', make: () => ssh2.utils.generateKeyPairSync('rsa', { bits: 3072, comment: 'gitmouth' }) },
] as const;

/**
 * The server's own keys, an Ed25519 and an RSA-3072 one; those that are missing are made, with mode 0600.
 * @throws Error that names the file and says what to do, when a key can't be read or others may read it.
 */
export function loadOrCreateHostKeys(folder: string): readonly HostKey[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return KINDS.map(({ file, make }) => {
    const path = join(folder, file);
    if (!existsSync(path)) writePrivate(path, readablePrivateKey(make));
    return readHostKey(path);
  });
}

/** The keys that are there already; makes none. */
export function loadHostKeys(folder: string): readonly HostKey[] {
  return KINDS.map(({ file }) => join(folder, file))
    .filter(existsSync)
    .map(readHostKey);
}

/** ssh2 drops a leading zero byte of an Ed25519 key (lib/keygen.js), so that one pair in 256 can't be read back. */
export function readablePrivateKey(make: () => { private: string }): string {
  for (;;) {
    const made = make().private;
    if (!(ssh2.utils.parseKey(made) instanceof Error)) return made;
  }
}

function readHostKey(path: string): HostKey {
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
