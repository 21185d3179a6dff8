import { describe, expect, test } from '@jest/globals';
import {
  acceptedSignatureAlgorithms,
  algorithmOfBlob,
  isKeyAlgorithm,
  isSecurityKey,
  KEY_ALGORITHMS,
  parseSha256Fingerprint,
  signatureAlgorithms,
} from '../../src/domain/public-key.js';

function blob(length: number, text: string, rest: readonly number[] = [0, 0, 0, 1, 7]): Uint8Array {
  const prefix = [length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255];
  return new Uint8Array([...prefix, ...Array.from(text, (character) => character.charCodeAt(0)), ...rest]);
}

describe('key types', () => {
  test.each(KEY_ALGORITHMS)('%s may be held', (name) => {
    expect(isKeyAlgorithm(name)).toBe(true);
  });

  test.each([
    'ssh-dss',
    'SSH-RSA',
    'ssh-rsa ',
    '',
    'rsa-sha2-256',
    'rsa-sha2-512',
    'ssh-ed25519-cert-v01@openssh.com',
    'sk-ssh-ed25519',
    'sk-ssh-ed25519-cert-v01@openssh.com',
    'webauthn-sk-ecdsa-sha2-nistp256@openssh.com',
    'toString',
    'constructor',
  ])('%j may not', (name) => {
    expect(isKeyAlgorithm(name)).toBe(false);
  });
});

test('security keys alone can verify their user', () => {
  expect(KEY_ALGORITHMS.filter(isSecurityKey)).toEqual([
    'sk-ssh-ed25519@openssh.com',
    'sk-ecdsa-sha2-nistp256@openssh.com',
  ]);
});

describe('signatures', () => {
  test('of an RSA key carry SHA-2 names, the longer one first, and never the SHA-1 name', () => {
    expect(signatureAlgorithms('ssh-rsa')).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
  });

  test.each(KEY_ALGORITHMS.filter((name) => name !== 'ssh-rsa'))('of a %s key carry its own name alone', (name) => {
    expect(signatureAlgorithms(name)).toEqual([name]);
  });

  test('accepted in all are those of every key type, each once, and none by SHA-1', () => {
    expect(acceptedSignatureAlgorithms()).toEqual([
      'ssh-ed25519',
      'sk-ssh-ed25519@openssh.com',
      'sk-ecdsa-sha2-nistp256@openssh.com',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
      'rsa-sha2-512',
      'rsa-sha2-256',
    ]);
  });
});

describe('the type that a key blob says it is', () => {
  test.each(KEY_ALGORITHMS)('is read for %s', (name) => {
    expect(algorithmOfBlob(blob(name.length, name))).toBe(name);
  });

  test('is read when nothing follows it, and from a part of a larger buffer', () => {
    expect(algorithmOfBlob(blob(7, 'ssh-rsa', []))).toBe('ssh-rsa');
    expect(algorithmOfBlob(new Uint8Array([9, 9, ...blob(7, 'ssh-rsa')]).subarray(2))).toBe('ssh-rsa');
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['less than a length', new Uint8Array([0, 0, 0])],
    ['a length of nothing', blob(0, '')],
    ['a length past the end', blob(8, 'ssh-rsa', [])],
    ['a length longer than any name', blob(65, 'x'.repeat(65))],
    ['the longest length there is', blob(0xffffffff, 'ssh-rsa')],
    ['a length that would be negative', blob(0x80000007, 'ssh-rsa')],
  ])('is none for %s', (_, bytes) => {
    expect(algorithmOfBlob(bytes)).toBeUndefined();
  });
});

describe('a SHA-256 fingerprint', () => {
  const digest = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJK012+/9';

  test.each([`SHA256:${digest}`, digest, `SHA256:${digest}=`, ` SHA256:${digest}\n`])('is read from %j', (text) => {
    expect(parseSha256Fingerprint(text)).toBe(`SHA256:${digest}`);
  });

  test.each([
    '',
    'SHA256:',
    `SHA256:${digest}x`,
    `SHA256:${digest.slice(1)}`,
    `sha256:${digest}`,
    `MD5:${'0:'.repeat(16)}`,
    `SHA256:${digest}==`,
    `SHA256:${digest.slice(1)}-`,
    `SHA256:SHA256:${digest}`,
    `SHA256:${digest} comment`,
    `SHA256:${digest.slice(1)}\n`,
  ])('is not %j', (text) => {
    expect(parseSha256Fingerprint(text)).toBeUndefined();
  });
});
