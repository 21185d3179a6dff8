/** The settings of users' certificates: who may issue them, whom they name, and what was taken back. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CERTIFICATE_NAMINGS, type CertificateNaming } from '../domain/certificate-policy.js';
import type { PublicKey } from '../domain/public-key.js';
import { NOTHING_REVOKED, type Revocations } from '../domain/revocations.js';
import { printable } from '../domain/words/printable.js';
import { readAuthorities, readRevocations, type FileReading, type ReadKeyLine } from './certificate-files.js';
import type { PlatformConfig } from './platform-config.js';
import { reasonOf } from './reason.js';

export const CERTIFICATE_SETTINGS = {
  GITMOUTH_USER_CA: [
    z.string(),
    '',
    'File of the public keys, one a line, whose certificates log users in; or `platform`, to ask the API (`http` alone).',
  ],
  GITMOUTH_CERTIFICATE_USER: [
    z.enum(CERTIFICATE_NAMINGS, `must be ${CERTIFICATE_NAMINGS.join(' or ')}`),
    'principal',
    'What of a certificate names its user: a `principal`, or its `key-id`.',
  ],
  GITMOUTH_REVOKED: [
    z.string(),
    '',
    'File of what was taken back, as text: `serial: 7-9`, `id: KEY-ID`, `sha256: FINGERPRINT`, or public keys; of plain keys too.',
  ],
} as const;

export interface CertificateConfig {
  /** Whose certificates count; the platform may be the one to say. */
  readonly authorities: readonly PublicKey[] | 'platform';
  readonly naming: CertificateNaming;
  readonly revocations: Revocations;
}

type Name = keyof typeof CERTIFICATE_SETTINGS;
type Value<N extends Name> = z.output<(typeof CERTIFICATE_SETTINGS)[N][0]>;

/** How the configuration is read: what is wrong is noted there, and read as undefined here. */
export interface CertificateSource {
  must<N extends Name>(this: void, name: N): Value<N>;
  read<N extends Name>(this: void, name: N): Value<N> | undefined;
  problem(this: void, text: string): void;
  readonly readKeyLine: ReadKeyLine;
}

export interface CertificateReading {
  readonly config: CertificateConfig;
  /** The files and what they hold now, by the setting that names them: a reload tells when that has changed. */
  readonly contents: Readonly<Partial<Record<Name, string>>>;
}

export function readCertificates(source: CertificateSource, platform: PlatformConfig): CertificateReading {
  const { read, must, problem, readKeyLine } = source;
  const contents: Partial<Record<Name, string>> = {};
  const fileOf = <T>(name: Name, otherwise: T, reader: (text: string, readLine: ReadKeyLine) => FileReading<T>): T => {
    const path = read(name);
    if (path === undefined) return otherwise;
    const text = textOf(path);
    if (typeof text !== 'string') {
      problem(`${name} must be a file that can be read (${text.problem}); it is '${printable(path, 80)}'`);
      return otherwise;
    }
    contents[name] = `${path}\n${text}`;
    const { value, problems } = reader(text, readKeyLine);
    for (const one of problems) problem(`${name}: ${printable(path)}, ${one}`);
    return value;
  };
  const isOfPlatform = read('GITMOUTH_USER_CA') === 'platform';
  if (isOfPlatform && platform.kind !== 'http') {
    problem(`GITMOUTH_USER_CA is platform, which the platform '${platform.kind}' knows nothing of: name a file`);
  }
  const authorities = isOfPlatform ? 'platform' : fileOf<readonly PublicKey[]>('GITMOUTH_USER_CA', [], readAuthorities);
  const revocations = fileOf<Revocations>('GITMOUTH_REVOKED', NOTHING_REVOKED, readRevocations);
  return { config: { authorities, naming: must('GITMOUTH_CERTIFICATE_USER'), revocations }, contents };
}

function textOf(path: string): string | { readonly problem: string } {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return { problem: reasonOf(error) };
  }
}
