import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { AlgorithmSet } from '../../../domain/algorithm-set.js';
import type { KeyAlgorithm } from '../../../domain/public-key.js';
import {
  keyFileOf,
  readKeyFile,
  readablePrivateKey,
  replaceBy,
  writePrivate,
  type KeyFile,
  type PrivateKey,
} from '../key-file.js';

/** Its `publicLine` is one for `known_hosts`, without the host's name. */
export interface HostKey extends PrivateKey {
  /** By a current key the server proves itself; a next one is announced alone, and takes the place of that of its type. */
  readonly state: 'current' | 'next';
}

export interface HostKeyFile extends HostKey, KeyFile {}

/** Folder, types, and a file of the operator's own in the place of the one of its type. */
export type HostKeysAt = readonly [folder: string, algorithms: AlgorithmSet, ownFile?: string];

export const ROLE = 'host key';

export type HostKeyType = 'ed25519' | 'rsa' | 'ecdsa';

export interface Kind {
  readonly type: HostKeyType;
  readonly file: string;
  readonly algorithm: KeyAlgorithm;
  readonly make: () => { private: string };
}

const ED25519: Kind = {
  type: 'ed25519',
  file: 'ssh_host_ed25519_key',
  algorithm: 'ssh-ed25519',
  make: () => ssh2.utils.generateKeyPairSync('ed25519', { comment: 'gitmouth' }),
};

const RSA: Kind = {
  type: 'rsa',
  file: 'ssh_host_rsa_key',
  algorithm: 'ssh-rsa',
  make: () => ssh2.utils.generateKeyPairSync('rsa', { bits: 3072, comment: 'gitmouth' }),
};

const ECDSA: Kind = {
  type: 'ecdsa',
  file: 'ssh_host_ecdsa_key',
  algorithm: 'ecdsa-sha2-nistp256',
  make: () => ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256, comment: 'gitmouth' }),
};

export const KINDS: Readonly<Record<AlgorithmSet, readonly Kind[]>> = {
  modern: [ED25519, RSA],
  compatible: [ED25519, RSA, ECDSA],
};

/** Where the current key of a type is, and the next one beside it. */
export interface Slot {
  readonly kind: Kind;
  readonly path: string;
  readonly nextPath: string;
}

/** @throws Error as `loadHostKeys`, for the operator's own file. */
export function slotsOf([folder, algorithms, ownFile]: HostKeysAt): readonly Slot[] {
  const own = ownKey(algorithms, ownFile);
  return KINDS[algorithms].map((kind) => {
    const path = own?.algorithm === kind.algorithm ? own.path : join(folder, kind.file);
    return { kind, path, nextPath: `${path}.next` };
  });
}

/**
 * The server's own keys, an Ed25519 and an RSA-3072 one, and an ECDSA P-256 one for old clients, then the next ones; of
 * a type of which there is none, the next takes its place, or one is made, with mode 0600.
 * @throws Error that names the file and says what to do, when a key can't be read or others may read it.
 */
export function loadOrCreateHostKeys(...at: HostKeysAt): readonly HostKeyFile[] {
  const { keys, keep } = readyHostKeys(...at);
  keep();
  return keys;
}

/** As `loadOrCreateHostKeys`, but nothing is written or moved until `keep`. @throws Error as there; `keep`, when it can't write. */
export function readyHostKeys(...at: HostKeysAt): {
  readonly keys: readonly HostKeyFile[];
  readonly keep: () => void;
} {
  const steps: (() => void)[] = [];
  const pairs = slotsOf(at).map((slot) => {
    const pair = pairIn(slot);
    if (pair.current === undefined) {
      const { path, kind } = slot;
      const made = keyFileOf(path, readablePrivateKey(kind.make), [kind.algorithm]);
      steps.push(() => {
        writePrivate(path, made.privateKey);
      });
      return { current: made };
    }
    if (pair.isPromoted) {
      steps.push(() => {
        replaceBy(slot.path, slot.nextPath);
      });
    }
    return pair;
  });
  const keep = () => {
    mkdirSync(at[0], { recursive: true, mode: 0o700 });
    for (const step of steps) step();
  };
  return { keys: keysOf(pairs), keep };
}

/** The keys that are there already, the next ones last; makes none. */
export function loadHostKeys(...at: HostKeysAt): readonly HostKeyFile[] {
  return keysOf(slotsOf(at).map(pairIn));
}

interface Pair {
  readonly current?: KeyFile;
  readonly next?: KeyFile;
  /** The current one still lies where the next one does. */
  readonly isPromoted?: boolean;
}

function pairIn({ kind, path, nextPath }: Slot): Pair {
  const read = (file: string) => (existsSync(file) ? readKeyFile(file, [kind.algorithm], ROLE) : undefined);
  const [current, next] = [read(path), read(nextPath)];
  if (next === undefined) return current === undefined ? {} : { current };
  if (current === undefined) return { current: { ...next, path }, isPromoted: true };
  return next.fingerprint === current.fingerprint ? { current } : { current, next };
}

function keysOf(pairs: readonly Pair[]): readonly HostKeyFile[] {
  const of = (state: HostKey['state']) =>
    pairs.flatMap(({ [state]: key }): HostKeyFile[] => (key === undefined ? [] : [{ ...key, state }]));
  return [...of('current'), ...of('next')];
}

function ownKey(algorithms: AlgorithmSet, path: string | undefined): KeyFile | undefined {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new Error(`there is no host key ${path}: put it there, or name another file`);
  const expected = KINDS[algorithms].map(({ algorithm }) => algorithm);
  return readKeyFile(path, expected, ROLE);
}
