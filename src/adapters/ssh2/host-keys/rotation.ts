/** Next host keys that are added, and current ones that are taken out: each step whole or not at all, also over a crash. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { printable } from '../../../domain/words/printable.js';
import {
  loadHostKeys,
  ROLE,
  slotsOf,
  type HostKeyFile,
  type HostKeysAt,
  type HostKeyType,
  type Slot,
} from './files.js';
import {
  keyFileOf,
  readablePrivateKey,
  readPrivateFile,
  readPrivateKey,
  replaceBy,
  writePrivate,
} from '../key-file.js';

export interface Retirement {
  readonly retired: HostKeyFile;
  /** Where it is kept; nothing reads it. */
  readonly keptAs: string;
  /** What has taken its place; undefined where a next key was retired. */
  readonly successor?: HostKeyFile;
}

/** A copy of the key in a file of the operator's, or one made of a type. */
export type NextHostKey = { readonly file: string; readonly type?: HostKeyType } | { readonly type: HostKeyType };

/**
 * Puts a next key beside the current one of its type.
 * @throws Error that says what to do, for a key that can't be one; nothing has changed then.
 */
export function addNextHostKey(at: HostKeysAt, wanted: NextHostKey): HostKeyFile {
  const keys = loadHostKeys(...at);
  const slots = slotsOf(at);
  const [slot, privateKey] = 'file' in wanted ? given(slots, wanted) : made(slots, wanted.type, at);
  const ofType = keys.filter(({ algorithm }) => algorithm === slot.kind.algorithm);
  const { fingerprint } = keyFileOf(slot.nextPath, privateKey, [slot.kind.algorithm]);
  if (ofType.some((key) => key.fingerprint === fingerprint)) {
    throw new Error('this key is a host key here already: give another one');
  }
  const next = ofType.find(({ state }) => state === 'next');
  if (next !== undefined) {
    throw new Error(
      `there is a next key of the type ${slot.kind.type} already, ${next.fingerprint}: retire it, or the current one, first`,
    );
  }
  if (ofType.length === 0) throw new Error('there are no host keys yet: the first start makes them (gitmouth serve)');
  mkdirSync(dirname(slot.nextPath), { recursive: true, mode: 0o700 });
  writePrivate(slot.nextPath, privateKey);
  const added = loadHostKeys(...at).find(({ path }) => path === slot.nextPath);
  if (added === undefined) throw new Error(`${slot.nextPath} is gone: another command has taken it`);
  return added;
}

/**
 * Takes a key out: for the current one the next of its type takes its place. It is kept beside, under another name.
 * @param now milliseconds since the epoch.
 * @throws Error that says what to do, where there is no such key or nothing to take its place; nothing has changed then.
 */
export function retireHostKey(at: HostKeysAt, fingerprint: string, now: number): Retirement {
  const keys = loadHostKeys(...at);
  const retired = keys.find((key) => key.fingerprint === fingerprint);
  if (retired === undefined) {
    throw new Error(`there is no host key ${printable(fingerprint)}: gitmouth hostkey list shows those there are`);
  }
  const slot = slotsOf(at).find(({ kind }) => kind.algorithm === retired.algorithm);
  if (slot === undefined) throw new Error(`there is no place for ${retired.algorithm}`);
  const keptAs = unusedName(`${slot.path}.retired-${new Date(now).toISOString().slice(0, 10)}`, retired.privateKey);
  if (retired.state === 'next') {
    replaceBy(keptAs, retired.path);
    return { retired, keptAs };
  }
  const next = keys.find(({ algorithm, state }) => algorithm === retired.algorithm && state === 'next');
  if (next === undefined) {
    throw new Error(
      `${fingerprint} is the only host key of the type ${slot.kind.type}, and there is no next one: add it first ` +
        `(gitmouth hostkey add --type ${slot.kind.type}), and give clients time to learn it`,
    );
  }
  // A crash between the two leaves a copy too many, and the old key in its place.
  writePrivate(keptAs, retired.privateKey);
  replaceBy(slot.path, slot.nextPath);
  return { retired, keptAs, successor: { ...next, state: 'current', path: slot.path } };
}

/** One that holds nothing, or this very key since a retirement that was cut off. */
function unusedName(wanted: string, privateKey: string): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}.${count}`;
    if (!existsSync(name) || readFileSync(name, 'utf8') === privateKey) return name;
  }
}

function made(
  slots: readonly Slot[],
  type: HostKeyType,
  [, algorithms]: HostKeysAt,
): readonly [slot: Slot, privateKey: string] {
  const slot = slots.find(({ kind }) => kind.type === type);
  if (slot === undefined) {
    throw new Error(`with GITMOUTH_ALGORITHMS=${algorithms} there is no host key of the type ${type}: add another one`);
  }
  return [slot, readablePrivateKey(slot.kind.make)];
}

function given(
  slots: readonly Slot[],
  { file, type }: Extract<NextHostKey, { file: string }>,
): readonly [slot: Slot, privateKey: string] {
  const name = printable(file);
  if (!existsSync(file))
    throw new Error(`there is no file ${name}: give one with a private key, or none to have one made`);
  const privateKey = readPrivateFile(file, ROLE);
  const reading = readPrivateKey(privateKey);
  if (reading === undefined) {
    throw new Error(`${name} holds no private key without a passphrase: make one with ssh-keygen -t ed25519 -N ''`);
  }
  if ('problem' in reading) throw new Error(`${name}: ${reading.problem}`);
  const { algorithm } = reading.key;
  const slot = slots.find(({ kind }) => kind.algorithm === algorithm);
  if (slot === undefined || (type !== undefined && slot.kind.type !== type)) {
    const wanted = slots.filter(({ kind }) => type === undefined || kind.type === type);
    const belongs = wanted.map(({ kind }) => kind.algorithm).join(' or ');
    throw new Error(
      `${name} holds a key of the type ${algorithm}, and ${belongs || 'none'} was to be: give another file`,
    );
  }
  return [slot, privateKey];
}
