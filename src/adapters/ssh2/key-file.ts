/** Private keys in files of their own: ours as a server, and ours as a client. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import ssh2 from 'ssh2';
import type { KeyAlgorithm } from '../../domain/public-key.js';
import { readKeyBlob } from './public-keys.js';

export interface PrivateKey {
  /** As text, in a form of OpenSSH's or PEM. */
  readonly privateKey: string;
  readonly algorithm: KeyAlgorithm;
  /** `SHA256:…` of the public half. */
  readonly fingerprint: string;
  /** The public half in SSH wire format. */
  readonly blob: Buffer;
  /** The same as one line, `<type> <base64>`. */
  readonly publicLine: string;
}

/** Its `privateKey` is the file's content. */
export interface KeyFile extends PrivateKey {
  readonly path: string;
}

/** ssh2 drops a leading zero byte of an Ed25519 key (lib/keygen.js), so that one pair in 256 can't be read back. */
export function readablePrivateKey(make: () => { private: string }): string {
  for (;;) {
    const made = make().private;
    if (!(ssh2.utils.parseKey(made) instanceof Error)) return made;
  }
}

/**
 * @param expected the types of key that may be there.
 * @param role what the key is for, in words.
 * @throws Error that names the file and says what to do, when the key can't be read or others may read it.
 */
export function readKeyFile(path: string, expected: readonly KeyAlgorithm[], role: string): KeyFile {
  return keyFileOf(path, readPrivateFile(path, role), expected);
}

/** What is in a file that nobody else can read. @throws Error that says what to do, when others may. */
export function readPrivateFile(path: string, role: string): string {
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) {
    throw new Error(`others may read the ${role} ${path} (mode ${(mode & 0o777).toString(8)}): run chmod 600 ${path}`);
  }
  return readFileSync(path, 'utf8');
}

/** The same for a content that may not lie there yet. */
export function keyFileOf(path: string, privateKey: string, expected: readonly KeyAlgorithm[]): KeyFile {
  const reading = readPrivateKey(privateKey);
  if (reading === undefined) {
    throw new Error(
      `${path} holds no private key without a passphrase: put it back from a backup, or move it away to have a new one made`,
    );
  }
  if ('problem' in reading) throw new Error(`${path}: ${reading.problem}`);
  const { key } = reading;
  // ssh2 would leave it out without a word, and clients that know this server by it would be turned away.
  if (!expected.includes(key.algorithm)) {
    throw new Error(
      `${path} holds a key of the type ${key.algorithm}, and one of ${expected.join(' or ')} belongs there: move it away to have one made`,
    );
  }
  return { path, ...key };
}

/** Undefined for what is no private key, or one with a passphrase; no word of the text is in a problem. */
export function readPrivateKey(text: string): { readonly key: PrivateKey } | { readonly problem: string } | undefined {
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error || Array.isArray(parsed) || !parsed.isPrivateKey()) return undefined;
  const blob = parsed.getPublicSSH();
  const reading = readKeyBlob(blob);
  if ('problem' in reading) return reading;
  const { algorithm, sha256: fingerprint } = reading.key;
  const publicLine = `${algorithm} ${blob.toString('base64')}`;
  return { key: { privateKey: text, algorithm, fingerprint, blob, publicLine } };
}

/** Whole or not at all, also over a crash: a half-written key would look like another one to everybody who knows it. */
export function writePrivate(path: string, content: string): void {
  const temporary = `${path}.new`;
  // One left behind by a crash might be readable by others.
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', 0o600);
  try {
    // Once may write a part of it alone, when a disk is all but full.
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Puts a file in the place of another, which is there until the new one is, also over a crash. */
export function replaceBy(path: string, successor: string): void {
  renameSync(successor, path);
  syncFolder(dirname(path));
}

/** The names in it outlast a loss of power; some file systems can't promise that, and have no need to. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } catch {
    // Nothing is lost but the promise.
  } finally {
    closeSync(descriptor);
  }
}
