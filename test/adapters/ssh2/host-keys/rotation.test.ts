/** Host keys that are added and retired in their folder. That a kill loses none: test/e2e/host-key-kills.test.ts. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { addNextHostKey, retireHostKey } from '../../../../src/adapters/ssh2/host-keys/rotation.js';
import {
  loadHostKeys,
  loadOrCreateHostKeys,
  readyHostKeys,
  type HostKeysAt,
} from '../../../../src/adapters/ssh2/host-keys/files.js';
import { readablePrivateKey } from '../../../../src/adapters/ssh2/key-file.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { makePair } from '../ground.js';

const ED25519 = 'ssh_host_ed25519_key';
const RSA = 'ssh_host_rsa_key';
const NOON = Date.UTC(2026, 10, 28, 12);
const RETIRED = `${ED25519}.retired-2026-11-28`;

let folder: string;
let at: HostKeysAt;
let old: string;
/** Made once: an RSA key takes its time. */
const begun = new Map<string, string>();

beforeAll(() => {
  for (const { path, privateKey } of loadOrCreateHostKeys(temporaryFolder('first'), 'modern')) {
    begun.set(basename(path), privateKey);
  }
});

beforeEach(() => {
  folder = join(temporaryFolder('data'), 'host-keys');
  mkdirSync(folder, { mode: 0o700 });
  for (const [name, content] of begun) writeFileSync(join(folder, name), content, { mode: 0o600 });
  at = [folder, 'modern'];
  old = current();
});

function listed(): readonly string[] {
  return loadHostKeys(...at).map(({ algorithm, state }) => `${algorithm} ${state}`);
}

function current(): string {
  return loadHostKeys(...at)[0]?.fingerprint ?? 'none';
}

/** A private key in a file of the operator's. */
function file(content: string = makePair().privateKey, mode = 0o600): string {
  const path = join(temporaryFolder('given'), 'key');
  writeFileSync(path, content, { mode });
  return path;
}

function contents(): Readonly<Record<string, string>> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

describe('a next key', () => {
  test('is made beside the current one, which stays in use', () => {
    const added = addNextHostKey(at, { type: 'ed25519' });
    expect(listed()).toEqual(['ssh-ed25519 current', 'ssh-rsa current', 'ssh-ed25519 next']);
    expect(loadHostKeys(...at).at(-1)).toEqual(added);
    expect(current()).toBe(old);
    expect(readdirSync(folder).sort()).toEqual([ED25519, `${ED25519}.next`, RSA]);
    expect(statSync(added.path).mode & 0o777).toBe(0o600);
    expect(loadOrCreateHostKeys(...at)).toEqual(loadHostKeys(...at));
  });

  test('is a copy of a key that is given, of whatever type it is', () => {
    const rsa = file(readablePrivateKey(() => ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 })));
    addNextHostKey(at, { file: rsa });
    expect(listed()).toEqual(['ssh-ed25519 current', 'ssh-rsa current', 'ssh-rsa next']);
    expect(readFileSync(join(folder, `${RSA}.next`), 'utf8')).toBe(readFileSync(rsa, 'utf8'));
  });

  test('is of a type that is used alone', () => {
    expect(() => addNextHostKey(at, { type: 'ecdsa' })).toThrow(
      'with GITMOUTH_ALGORITHMS=modern there is no host key of the type ecdsa: add another one',
    );
    loadOrCreateHostKeys(folder, 'compatible');
    addNextHostKey([folder, 'compatible'], { type: 'ecdsa' });
    expect(listed()).toEqual(['ssh-ed25519 current', 'ssh-rsa current']);
  });

  test.each([
    ['is not there', () => '/nowhere', 'there is no file /nowhere'],
    ['others may read', () => file(undefined, 0o644), 'run chmod 600'],
    ['is no key', () => file('hello\n'), 'holds no private key without a passphrase'],
    ['is a public key', () => file(`ssh-ed25519 ${makePair().blob.toString('base64')}\n`), 'holds no private key'],
    ['is too weak', () => file(makePair('rsa', 1024).privateKey), 'RSA keys must have at least 2048 bits'],
    ['is used already', () => join(folder, ED25519), 'this key is a host key here already: give another one'],
    [
      'is of another type than it is said to be',
      () => file(makePair('rsa').privateKey),
      'holds a key of the type ssh-rsa, and ssh-ed25519 was to be',
    ],
  ])('from a file that %s is refused', (_what, path, words) => {
    const before = contents();
    expect(() => addNextHostKey(at, { file: path(), type: 'ed25519' })).toThrow(words);
    expect(contents()).toEqual(before);
  });

  test('is one of its type', () => {
    const { fingerprint } = addNextHostKey(at, { type: 'ed25519' });
    expect(() => addNextHostKey(at, { type: 'ed25519' })).toThrow(
      `there is a next key of the type ed25519 already, ${fingerprint}: retire it, or the current one, first`,
    );
    expect(loadHostKeys(...at).at(-1)?.fingerprint).toBe(fingerprint);
  });

  test('is not made where there are no keys yet', () => {
    const empty = join(temporaryFolder('data'), 'host-keys');
    expect(() => addNextHostKey([empty, 'modern'], { type: 'ed25519' })).toThrow('there are no host keys yet');
    expect(existsSync(empty)).toBe(false);
  });

  test('that is damaged stops a start, as any key does', () => {
    const { path } = addNextHostKey(at, { type: 'ed25519' });
    writeFileSync(path, 'half a key');
    expect(() => readyHostKeys(...at)).toThrow(`${path} holds no private key`);
  });

  test('takes the place of a current one that was taken away, rather than one that nobody knows', () => {
    const { fingerprint } = addNextHostKey(at, { type: 'ed25519' });
    renameSync(join(folder, ED25519), join(folder, 'away'));
    expect(current()).toBe(fingerprint);
    expect(readdirSync(folder)).toContain(`${ED25519}.next`);
    expect(loadOrCreateHostKeys(...at)[0]?.fingerprint).toBe(fingerprint);
    expect(readdirSync(folder).sort()).toEqual(['away', ED25519, RSA]);
  });
});

describe('a key that is retired', () => {
  test('gives its place to the next one, and is kept where nothing reads it', () => {
    const next = addNextHostKey(at, { type: 'ed25519' });
    const { retired, keptAs, successor } = retireHostKey(at, old, NOON);
    expect([retired.fingerprint, successor?.fingerprint]).toEqual([old, next.fingerprint]);
    expect(basename(keptAs)).toBe(RETIRED);
    expect(listed()).toEqual(['ssh-ed25519 current', 'ssh-rsa current']);
    expect(current()).toBe(next.fingerprint);
    expect(contents()).toMatchObject({ [RETIRED]: begun.get(ED25519), [ED25519]: next.privateKey });
    expect(statSync(keptAs).mode & 0o777).toBe(0o600);
    writeFileSync(keptAs, 'no key');
    expect(loadOrCreateHostKeys(...at)).toEqual(loadHostKeys(...at));
  });

  test('is not the only one of its type', () => {
    addNextHostKey(at, { type: 'ed25519' });
    const [, rsa] = loadHostKeys(...at);
    const before = contents();
    expect(() => retireHostKey(at, rsa?.fingerprint ?? '', NOON)).toThrow(
      `${rsa?.fingerprint} is the only host key of the type rsa, and there is no next one: add it first (gitmouth hostkey add --type rsa)`,
    );
    expect(contents()).toEqual(before);
  });

  test('may be a next one, which is no longer told of then', () => {
    const next = addNextHostKey(at, { type: 'ed25519' });
    const { successor } = retireHostKey(at, next.fingerprint, NOON);
    expect(successor).toBeUndefined();
    expect(listed()).toEqual(['ssh-ed25519 current', 'ssh-rsa current']);
    expect(contents()).toMatchObject({ [RETIRED]: next.privateKey, [ED25519]: begun.get(ED25519) });
  });

  test('overwrites none that was retired before on the same day', () => {
    const next = [1, 2].map(() => {
      const added = addNextHostKey(at, { type: 'ed25519' });
      retireHostKey(at, current(), NOON);
      return added.privateKey;
    });
    expect(contents()).toMatchObject({
      [RETIRED]: begun.get(ED25519),
      [`${RETIRED}.2`]: next[0],
      [ED25519]: next[1],
    });
  });

  test('is one that there is', () => {
    expect(() => retireHostKey(at, 'SHA256:none\u001b[2J', NOON)).toThrow(
      'there is no host key SHA256:none\\u001b[2J: gitmouth hostkey list shows those there are',
    );
  });
});

test('a file of the operator’s own is rotated where it is', () => {
  const own = file();
  at = [folder, 'modern', own];
  const first = current();
  const next = addNextHostKey(at, { type: 'ed25519' });
  expect(next.path).toBe(`${own}.next`);
  const { keptAs } = retireHostKey(at, first, NOON);
  expect(keptAs).toBe(`${own}.retired-2026-11-28`);
  expect(readFileSync(own, 'utf8')).toBe(next.privateKey);
  expect(Object.keys(contents()).sort()).toEqual([ED25519, RSA]);
});
