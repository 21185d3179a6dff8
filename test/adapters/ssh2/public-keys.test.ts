import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readKeyBlob, readKeyLine } from '../../../src/adapters/ssh2/public-keys.js';
import { execute } from '../../support/door.js';
import { needs } from '../../support/programs.js';
import { makePair } from './ground.js';
import { makeDsaKey, selfMadeCertificate } from './odd-keys.js';
import { generateKey } from './openssh.js';
import { string } from '../../support/ssh-bytes.js';

const { test: withKeygen } = needs('ssh-keygen');
const pair = makePair();
const base64 = pair.blob.toString('base64');

function problem(line: string): string | undefined {
  const reading = readKeyLine(line);
  return 'problem' in reading ? reading.problem : undefined;
}

withKeygen.each([
  ['ssh-ed25519', ['-t', 'ed25519']],
  ['ecdsa-sha2-nistp256', ['-t', 'ecdsa', '-b', '256']],
  ['ecdsa-sha2-nistp384', ['-t', 'ecdsa', '-b', '384']],
  ['ecdsa-sha2-nistp521', ['-t', 'ecdsa', '-b', '521']],
  ['ssh-rsa', ['-t', 'rsa', '-b', '2048']],
  ['ssh-rsa', ['-t', 'rsa', '-b', '3072']],
])('a key of ssh-keygen (%s %j) has the fingerprints that ssh-keygen prints', async (algorithm, options) => {
  const { path } = await generateKey(...options);
  const reading = readKeyLine(readFileSync(`${path}.pub`, 'utf8'));
  if ('problem' in reading) throw new Error(reading.problem);
  expect(reading.key.algorithm).toBe(algorithm);
  expect(reading.comment).toBe('a comment');
  const sha256 = await execute('ssh-keygen', ['-l', '-E', 'sha256', '-f', `${path}.pub`]);
  expect(reading.key.sha256).toBe(sha256.stdout.split(' ')[1]);
  const md5 = await execute('ssh-keygen', ['-l', '-E', 'md5', '-f', `${path}.pub`]);
  expect(`MD5:${reading.key.md5.match(/../g)?.join(':')}`).toBe(md5.stdout.split(' ')[1]);
});

describe('a line', () => {
  test.each([
    ['without a comment', `ssh-ed25519 ${base64}`, undefined],
    ['with one of many words', `ssh-ed25519 ${base64} alice@example.com at work`, 'alice@example.com at work'],
    ['with space around it', `  ssh-ed25519   ${base64}\t me \r\n`, 'me'],
  ])('is read %s', (_how, line, comment) => {
    const reading = readKeyLine(line);
    expect(reading).toMatchObject({ key: { sha256: pair.fingerprint } });
    expect(reading.comment).toBe(comment);
  });

  test.each([
    ['-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['-----BEGIN RSA PRIVATE KEY-----'],
    [pair.privateKey],
    [
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkqhkiG9w0BBQwwHAQI\n-----END ENCRYPTED PRIVATE KEY-----',
    ],
  ])('of a private key is refused and not echoed, with what to give instead', (line) => {
    expect(problem(line)).toBe('this is a private key: give the file that ends in .pub');
  });

  test.each([
    ['PuTTY-User-Key-File-3: ssh-ed25519', "this is PuTTY's private key: copy its public key from PuTTYgen's window"],
    [
      '---- BEGIN SSH2 PUBLIC KEY ----',
      'this is a public key in another format: convert it with ssh-keygen -i -f FILE',
    ],
  ])('of another format (%s) is refused with what to do', (line, advice) => {
    expect(problem(line)).toBe(advice);
  });

  test.each([
    [''],
    ['hello'],
    [base64],
    [`no-pty ssh-ed25519 ${base64}`],
    [`command="rm -rf /" ssh-ed25519 ${base64}`],
    [`ssh-ed25519 ${base64.slice(0, -2)}!!`],
    [`ssh-ed25519 ${base64}\nssh-ed25519 ${base64}`],
  ])('that is none is refused: %j', (line) => {
    expect(problem(line)).toBe("this is not a public key in OpenSSH's format: <type> <base64> [comment]");
  });

  test.each([
    ['cut off', base64.slice(0, -4)],
    ['with more behind', `${base64.replace(/=*$/, '')}AAAA`],
  ])('of a key %s is refused as damaged', (_how, content) => {
    expect(problem(`ssh-ed25519 ${content}`)).toBe('this public key is damaged');
  });

  test('of something else in base64 is refused', () => {
    expect(problem(`ssh-ed25519 ${Buffer.from('hello, this is text').toString('base64')}`)).toBe(
      'this is not a public key',
    );
  });
});

describe('a blob', () => {
  test('of RSA needs 2048 bits, and is told how many it has', () => {
    const small = (bits: number) => readKeyBlob(makePair('rsa', bits).blob);
    expect(small(1024)).toEqual({ problem: 'RSA keys must have at least 2048 bits; this one has 1024' });
    expect(small(2040)).toEqual({ problem: 'RSA keys must have at least 2048 bits; this one has 2040' });
    expect(small(2048)).toHaveProperty('key');
  });

  test.each([
    ['ssh-dss', makeDsaKey().blob],
    ['ssh-ed448', Buffer.concat(['ssh-ed448', Buffer.alloc(57)].map(string))],
  ])('of a type that is not supported (%s) is refused with those that are', (type, blob) => {
    expect(readKeyBlob(blob)).toEqual({
      problem: `keys of the type ${type} are not supported; use Ed25519, ECDSA or RSA`,
    });
  });

  test('of a certificate is refused with what to give instead', () => {
    expect(readKeyBlob(selfMadeCertificate(pair, 'anybody'))).toEqual({
      problem: "this is a certificate: give its key's own file, without -cert in the name",
    });
  });

  test('of one curve under the name of another is refused as damaged', () => {
    const point = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]);
    const blob = Buffer.concat(['ecdsa-sha2-nistp256', 'nistp384', point].map(string));
    expect(readKeyBlob(blob)).toEqual({ problem: 'this public key is damaged' });
  });

  test('of RSA with a number written in a longer way is refused, so that one key has one fingerprint', () => {
    const { blob } = makePair('rsa');
    const exponent = Buffer.from([0, 0, 1, 0, 1]);
    const modulus = blob.subarray(4 + 7 + 4 + 3);
    expect(readKeyBlob(Buffer.concat([string('ssh-rsa'), string(exponent), modulus]))).toEqual({
      problem: 'this public key is damaged',
    });
  });

  test.each([
    ['exponent', ['', Buffer.alloc(256, 3)]],
    ['modulus', [Buffer.from([1, 0, 1]), '']],
  ])('of RSA with an empty %s is refused as damaged', (_which, numbers) => {
    const blob = Buffer.concat(['ssh-rsa', ...numbers].map(string));
    expect(readKeyBlob(blob)).toEqual({ problem: 'this public key is damaged' });
  });
});
