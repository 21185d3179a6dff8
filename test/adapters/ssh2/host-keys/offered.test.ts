/** Host keys that a platform keeps: which are used, and which make no server. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { offeredHostKeys, type OfferedHostKey } from '../../../../src/adapters/ssh2/host-keys/offered.js';
import { makePair } from '../ground.js';

let ed25519: string;
let other: string;
let rsa: string;
const ecdsa = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).private;

beforeAll(() => {
  [ed25519, other, rsa] = [makePair().privateKey, makePair().privateKey, makePair('rsa').privateKey];
});

function key(privateKey: string, state: OfferedHostKey['state'] = 'current'): OfferedHostKey {
  return { privateKey, state };
}

test('current ones come first, and those of a type that is offered to nobody are left out', () => {
  const offered = [key(other, 'next'), key(ecdsa), key(rsa), key(ed25519)];
  const shown = (set: 'modern' | 'compatible') =>
    offeredHostKeys(offered, set).map(({ algorithm, state }) => `${algorithm} ${state}`);
  expect(shown('modern')).toEqual(['ssh-rsa current', 'ssh-ed25519 current', 'ssh-ed25519 next']);
  expect(shown('compatible')).toEqual([
    ...['ecdsa-sha2-nistp256 current', 'ssh-rsa current', 'ssh-ed25519 current', 'ssh-ed25519 next'],
  ]);
});

describe('no server is made of', () => {
  test.each([
    ['none', () => [], 'there is no current key of the type ssh-ed25519 or ssh-rsa'],
    ['next ones alone', () => [key(ed25519, 'next')], 'there is no current key'],
    ['a type that is not offered', () => [key(ecdsa)], 'there is no current key'],
    [
      'two current ones of a type',
      () => [key(ed25519), key(other)],
      'there are two current keys of the type ssh-ed25519',
    ],
    [
      'two next ones of a type',
      () => [key(rsa), key(ed25519, 'next'), key(other, 'next')],
      'there are two next keys of the type ssh-ed25519',
    ],
    ['one that is both', () => [key(ed25519), key(ed25519, 'next')], 'is a current and a next key'],
    ['what is no key', () => [key(ed25519), key('SECRET')], 'key 2 is no private key without a passphrase'],
    ['a weak one', () => [key(makePair('rsa', 1024).privateKey)], 'key 1: RSA keys must have at least 2048 bits'],
  ])('%s, and none is quoted', (_what, offered, words) => {
    const make = () => offeredHostKeys(offered(), 'modern');
    expect(make).toThrow(words);
    expect(make).not.toThrow(/SECRET|PRIVATE/);
  });
});
