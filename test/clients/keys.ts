/** Keys of every kind that users hold, and in every form that clients want them in. */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../support/door.js';
import { temporaryFolder } from '../support/temporary.js';

const KINDS = {
  Ed25519: ['-t', 'ed25519'],
  'ECDSA P-256': ['-t', 'ecdsa', '-b', '256'],
  'ECDSA P-384': ['-t', 'ecdsa', '-b', '384'],
  'ECDSA P-521': ['-t', 'ecdsa', '-b', '521'],
  RSA: ['-t', 'rsa', '-b', '3072'],
} as const satisfies Record<string, readonly string[]>;

export type KeyKind = keyof typeof KINDS;

export const ECDSA_KINDS: readonly KeyKind[] = ['ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521'];
export const KEY_KINDS: readonly KeyKind[] = ['Ed25519', ...ECDSA_KINDS, 'RSA'];

/** One key of each kind, in OpenSSH's form. */
export async function makeKeys(): Promise<ReadonlyMap<KeyKind, string>> {
  const folder = temporaryFolder('keys');
  const make = async (kind: KeyKind): Promise<[KeyKind, string]> => {
    const file = join(folder, kind.replace(' ', '-'));
    await must('ssh-keygen', '-q', ...KINDS[kind], '-N', '', '-C', kind, '-f', file);
    return [kind, file];
  };
  return new Map(await Promise.all(KEY_KINDS.map(make)));
}

/** PuTTY's form. */
export function forPutty(keyFile: string): Promise<string> {
  return converted(keyFile, 'ppk', (file) => must('puttygen', keyFile, '-O', 'private', '-o', file));
}

/** Dropbear's form. */
export function forDropbear(keyFile: string): Promise<string> {
  return converted(keyFile, 'dropbear', (file) => must('dropbearconvert', 'openssh', 'dropbear', keyFile, file));
}

/** The form of OpenSSL, which older libraries read alone. */
export function asPem(keyFile: string): Promise<string> {
  return converted(keyFile, 'pem', async (file) => {
    copyFileSync(keyFile, file);
    copyFileSync(`${keyFile}.pub`, `${file}.pub`);
    await must('ssh-keygen', '-q', '-p', '-m', 'PEM', '-P', '', '-N', '', '-f', file);
  });
}

async function converted(keyFile: string, form: string, convert: (file: string) => Promise<void>): Promise<string> {
  const file = `${keyFile}.${form}`;
  if (!existsSync(file)) await convert(file);
  return file;
}

async function must(command: string, ...args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await execute(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
}
