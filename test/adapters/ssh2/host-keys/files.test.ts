import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { loadHostKeys, loadOrCreateHostKeys, type HostKeyFile } from '../../../../src/adapters/ssh2/host-keys/files.js';
import { execute } from '../../../support/door.js';
import { needs } from '../../../support/programs.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { makePair } from '../ground.js';

const ED25519 = 'ssh_host_ed25519_key';
const RSA = 'ssh_host_rsa_key';
const ECDSA = 'ssh_host_ecdsa_key';
const PUBLIC = `ssh-ed25519 ${makePair().blob.toString('base64')} me\n`;
const { test: withKeygen } = needs('ssh-keygen');

let folder: string;
/** Made once: an RSA key takes its time. */
const made = new Map<string, string>();

beforeEach(() => {
  folder = join(temporaryFolder('data'), 'host-keys');
});

/** A folder with both keys in it. */
function loaded(): readonly HostKeyFile[] {
  if (!existsSync(folder) && made.size > 0) {
    mkdirSync(folder, { mode: 0o700 });
    for (const [name, content] of made) writeFileSync(join(folder, name), content, { mode: 0o600 });
  }
  const keys = loadOrCreateHostKeys(folder, 'modern');
  if (made.size === 0) for (const { path, privateKey } of keys) made.set(basename(path), privateKey);
  return keys;
}

describe('the first start', () => {
  test('makes an Ed25519 and an RSA key that only their owner can read', () => {
    made.clear();
    const keys = loaded();
    expect(keys.map(({ algorithm }) => algorithm)).toEqual(['ssh-ed25519', 'ssh-rsa']);
    expect(readdirSync(folder).sort()).toEqual([ED25519, RSA]);
    for (const { path } of keys) expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    expect((statSync(folder).mode & 0o777).toString(8)).toBe('700');
  });

  test('makes what is missing and leaves what is there', () => {
    const before = loaded();
    renameSync(join(folder, ED25519), join(folder, 'away'));
    const after = loadOrCreateHostKeys(folder, 'modern');
    expect(after[0]?.fingerprint).not.toBe(before[0]?.fingerprint);
    expect(after[1]).toEqual(before[1]);
  });

  test('after one that was cut off leaves nothing half-written, and nothing that others can read', () => {
    loaded();
    renameSync(join(folder, ED25519), join(folder, 'away'));
    writeFileSync(join(folder, `${ED25519}.new`), 'half a ke', { mode: 0o644 });
    loadOrCreateHostKeys(folder, 'modern');
    expect(readdirSync(folder)).not.toContain(`${ED25519}.new`);
    expect((statSync(join(folder, ED25519)).mode & 0o777).toString(8)).toBe('600');
  });
});

describe('every start after it', () => {
  test('gives the same keys', () => {
    expect(loaded()).toEqual(loadOrCreateHostKeys(folder, 'modern'));
    expect(loadHostKeys(folder, 'modern')).toEqual(loaded());
  });

  withKeygen('gives the fingerprints and public lines that ssh-keygen reads from the files', async () => {
    for (const { path, fingerprint, publicLine, algorithm } of loaded()) {
      const listed = await execute('ssh-keygen', ['-l', '-f', path]);
      const [bits, listedFingerprint] = listed.stdout.split(' ');
      expect(listedFingerprint).toBe(fingerprint);
      expect(bits).toBe(algorithm === 'ssh-rsa' ? '3072' : '256');
      const shown = await execute('ssh-keygen', ['-y', '-f', path]);
      expect(shown.stdout.split(' ').slice(0, 2).join(' ').trim()).toBe(publicLine);
    }
  });

  withKeygen('takes keys that an operator made with ssh-keygen', async () => {
    loaded();
    const path = join(folder, ED25519);
    renameSync(path, join(folder, 'away'));
    await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'old server', '-f', path]);
    const [key] = loadOrCreateHostKeys(folder, 'modern');
    const listed = await execute('ssh-keygen', ['-l', '-f', `${path}.pub`]);
    expect(key?.fingerprint).toBe(listed.stdout.split(' ')[1]);
  });

  test('of a command that only looks makes none', () => {
    expect(loadHostKeys(folder, 'modern')).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('for old clients', () => {
  test('an ECDSA key is made beside the others, and shown only while it is used', () => {
    const before = loaded();
    const keys = loadOrCreateHostKeys(folder, 'compatible');
    expect(keys.slice(0, 2)).toEqual(before);
    expect(keys.map(({ algorithm }) => algorithm)).toEqual(['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256']);
    expect(readdirSync(folder).sort()).toEqual([ECDSA, ED25519, RSA]);
    expect((statSync(join(folder, ECDSA)).mode & 0o777).toString(8)).toBe('600');
    expect(loadHostKeys(folder, 'compatible')).toEqual(keys);
    expect(loadOrCreateHostKeys(folder, 'compatible')).toEqual(keys);
    expect(loadHostKeys(folder, 'modern')).toEqual(before);
  });

  withKeygen('the ECDSA key is one that ssh-keygen reads', async () => {
    loaded();
    const ecdsa = loadOrCreateHostKeys(folder, 'compatible')[2];
    const listed = await execute('ssh-keygen', ['-l', '-f', ecdsa?.path ?? '']);
    expect(listed.stdout.split(' ').slice(0, 2)).toEqual(['256', ecdsa?.fingerprint]);
  });

  withKeygen('an ECDSA key over another curve is refused, as it would be left out', async () => {
    loaded();
    const path = join(folder, ECDSA);
    await execute('ssh-keygen', ['-q', '-t', 'ecdsa', '-b', '384', '-N', '', '-f', path]);
    expect(() => loadOrCreateHostKeys(folder, 'compatible')).toThrow(
      `${path} holds a key of the type ecdsa-sha2-nistp384, and one of ecdsa-sha2-nistp256 belongs there: move it away`,
    );
  });
});

describe('a key is refused', () => {
  test.each([0o640, 0o604, 0o644, 0o660, 0o777])(
    'that others may read or write (mode %o), with what to run',
    (mode) => {
      const path = loaded()[1]?.path ?? '';
      chmodSync(path, mode);
      const octal = mode.toString(8);
      const words = `others may read the host key ${path} (mode ${octal}): run chmod 600 ${path}`;
      expect(() => loadOrCreateHostKeys(folder, 'modern')).toThrow(words);
      expect(() => loadHostKeys(folder, 'modern')).toThrow(words);
      chmodSync(path, 0o400);
      expect(loadHostKeys(folder, 'modern')).toHaveLength(2);
    },
  );

  test.each([
    ['that is empty', () => ''],
    ['that is cut off', () => (made.get(ED25519) ?? '').slice(0, 200)],
    ['that is a public key', () => PUBLIC],
    ['that is something else', () => 'hello\n'],
  ])('%s, with its path and what to do', (_what, content) => {
    const path = loaded()[0]?.path ?? '';
    writeFileSync(path, content());
    expect(() => loadOrCreateHostKeys(folder, 'modern')).toThrow(
      `${path} holds no private key without a passphrase: put it back from a backup, or move it away to have a new one made`,
    );
    expect(readFileSync(path, 'utf8')).toBe(content());
  });

  withKeygen('that has a passphrase', async () => {
    const path = loaded()[0]?.path ?? '';
    await execute('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'a secret', '-f', path]);
    expect(() => loadOrCreateHostKeys(folder, 'modern')).toThrow('holds no private key without a passphrase');
  });

  test('that is too weak', () => {
    const path = loaded()[1]?.path ?? '';
    writeFileSync(path, makePair('rsa', 1024).privateKey);
    expect(() => loadOrCreateHostKeys(folder, 'modern')).toThrow(
      `${path}: RSA keys must have at least 2048 bits; this one has 1024`,
    );
  });
});
