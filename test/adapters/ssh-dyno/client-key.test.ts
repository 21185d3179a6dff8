import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { loadOrCreateClientKey } from '../../../src/adapters/ssh-dyno/client-key.js';
import { SshDynoTransport } from '../../../src/adapters/ssh-dyno/ssh-dyno-transport.js';
import { DEFAULT_SSH_DYNO_LIMITS } from '../../../src/adapters/ssh-dyno/settings.js';
import { readablePrivateKey } from '../../../src/adapters/ssh2/key-file.js';
import { readKeyLine } from '../../../src/adapters/ssh2/public-keys.js';
import { temporaryFolder } from '../../support/temporary.js';

const path = () => join(temporaryFolder('keys'), 'data', 'dyno_key');
const made = (type: 'rsa' | 'ecdsa') =>
  readablePrivateKey(() =>
    type === 'rsa'
      ? ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 })
      : ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }),
  );
const transportWith = (clientKey: string) =>
  new SshDynoTransport({ ...DEFAULT_SSH_DYNO_LIMITS, clientKey, variables: 'auto' });

describe('the client key of a file', () => {
  test('is made where there is none, for nobody else to read, and stays', () => {
    const file = path();
    const first = loadOrCreateClientKey(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toBe(first.privateKey);
    expect(existsSync(`${file}.new`)).toBe(false);
    expect(loadOrCreateClientKey(file)).toEqual(first);
    expect(loadOrCreateClientKey(path()).fingerprint).not.toBe(first.fingerprint);
    expect(() => transportWith(first.privateKey)).not.toThrow();
  });

  test('has a line for authorized_keys, and its fingerprint', () => {
    const { publicKey, fingerprint } = loadOrCreateClientKey(path());
    expect(publicKey).toMatch(/^ssh-ed25519 AAAA\S+ gitmouth$/);
    expect(readKeyLine(publicKey)).toMatchObject({ key: { sha256: fingerprint } });
  });

  test('may be an ECDSA key that somebody put there', () => {
    const file = path();
    loadOrCreateClientKey(file);
    writeFileSync(file, made('ecdsa'));
    expect(loadOrCreateClientKey(file).publicKey).toMatch(/^ecdsa-sha2-nistp256 /);
  });

  test('that others may read is refused, with what to do', () => {
    const file = path();
    loadOrCreateClientKey(file);
    chmodSync(file, 0o640);
    expect(() => loadOrCreateClientKey(file)).toThrow(
      `others may read the client key ${file} (mode 640): run chmod 600 ${file}`,
    );
  });

  test.each([
    ['nonsense', 'no key\n', 'holds no private key without a passphrase'],
    ['an RSA key', made('rsa'), 'holds a key of the type ssh-rsa, and one of ssh-ed25519 or ecdsa-sha2-nistp256 or'],
  ])('%s is refused by name', (_what, content, words) => {
    const file = path();
    loadOrCreateClientKey(file);
    writeFileSync(file, content);
    expect(() => loadOrCreateClientKey(file)).toThrow(`${file} ${words}`);
  });
});

test.each([
  ['nonsense', 'hunter2', 'no private key'],
  ['an RSA key', made('rsa'), 'of the type ssh-rsa: use an Ed25519 or ECDSA key'],
  ['a public key', loadOrCreateClientKey(path()).publicKey, 'no private key'],
])('a transport is not made with %s', (_what, clientKey, words) => {
  expect(() => transportWith(clientKey)).toThrow(words);
  expect(() => transportWith(clientKey)).not.toThrow(clientKey);
});
