import { describe, expect, test } from '@jest/globals';
import { isNewAppName } from '../../src/domain/access-policy.js';
import { appNameOfPath, isAppName } from '../../src/domain/app-name.js';
import { isUserName, userNameFrom } from '../../src/domain/user.js';

const CHARACTERS = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));

function those(predicate: (character: string) => boolean): string {
  return CHARACTERS.filter(predicate).join('');
}

const DIGITS = '0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';

describe('an app name', () => {
  test('begins with a letter or digit of ASCII and no other character there is', () => {
    expect(those(isAppName)).toBe(DIGITS + UPPER + LOWER);
  });

  test('goes on with letters, digits, @, _ and -, and no other character there is', () => {
    expect(those((character) => isAppName(`a${character}`))).toBe(`-${DIGITS}@${UPPER}_${LOWER}`);
  });

  test('has 1 to 63 characters', () => {
    expect([0, 1, 63, 64].map((length) => isAppName('a'.repeat(length)))).toEqual([false, true, true, false]);
  });

  test('of a new app is lower case', () => {
    expect(those(isNewAppName)).toBe(DIGITS + LOWER);
    expect(those((character) => isNewAppName(`a${character}`))).toBe(`-${DIGITS}@_${LOWER}`);
    expect([0, 1, 63, 64].map((length) => isNewAppName('a'.repeat(length)))).toEqual([false, true, true, false]);
  });
});

describe('the app that a path names', () => {
  test.each(['shop', 'shop.git', '/shop', '/shop.git', '~/shop', '~/shop.git'])('is shop for %s', (path) => {
    expect(appNameOfPath(path)).toBe('shop');
  });

  test.each([
    '',
    '/',
    '~',
    '~/',
    '.git',
    '/.git',
    '~/.git',
    '..',
    '../shop',
    '/../shop',
    '~/../shop',
    '//shop',
    '~//shop',
    '/~/shop',
    '~~/shop',
    '~alice/shop',
    'shop/',
    'shop.git/',
    'shop.git.git',
    'shop.Git',
    'a/b',
    '-shop',
    '--help',
    'shop\n',
    'shop.git\n',
    '\nshop',
    'shop\u0000.git',
  ])('is none for %j', (path) => {
    expect(appNameOfPath(path)).toBeUndefined();
  });
});

describe('where apps are named with their owner', () => {
  test.each([
    ['alice/shop', 'alice/shop'],
    ['/alice/shop.git', 'alice/shop'],
    ['~/alice/shop.git', 'alice/shop'],
    ['shop.git', 'shop'],
  ])('%s names %s', (path, app) => {
    expect(appNameOfPath(path, 'with-owner')).toBe(app);
  });

  test.each([
    'a/b/c',
    'alice/',
    '/alice//shop',
    '../shop',
    'alice/..',
    'alice/-x',
    '-x/shop',
    'alice/shop.git/x',
    './a',
    'a/.',
  ])('%s names none', (path) => {
    expect(appNameOfPath(path, 'with-owner')).toBeUndefined();
  });
});

describe('a user name', () => {
  test('begins with a lower-case letter or digit and no other character there is', () => {
    expect(those(isUserName)).toBe(DIGITS + LOWER);
  });

  test('goes on with lower-case letters, digits, ".", "_" and "-", and no other character there is', () => {
    expect(those((character) => isUserName(`a${character}`))).toBe(`-.${DIGITS}_${LOWER}`);
  });

  test('has 1 to 32 characters', () => {
    expect([0, 1, 32, 33].map((length) => isUserName('a'.repeat(length)))).toEqual([false, true, true, false]);
  });

  test.each([
    ['alice', 'alice'],
    ['Alice', 'alice'],
    ['Alice Smith', 'alice-smith'],
    ['DOMAIN\\alice', 'domain-alice'],
    ['alice@example.org', 'alice-example.org'],
    ['-alice', 'alice'],
    ['__alice', 'alice'],
    ['..alice', 'alice'],
    ['Ünal', 'nal'],
    ['a\u0000\u001b[2Jb', 'a-2jb'],
    ['x'.repeat(40), 'x'.repeat(32)],
  ])('made of %j is %s', (text, name) => {
    expect(userNameFrom(text)).toBe(name);
  });

  test.each(['', '---', '..', '用户', '\u0000'])('cannot be made of %j', (text) => {
    expect(userNameFrom(text)).toBeUndefined();
  });

  test('made of any text at all is a user name, or there is none', () => {
    const names = CHARACTERS.map((character) => userNameFrom(`${character}x${character}`));
    expect(names.filter((name) => name === undefined || !isUserName(name))).toEqual([]);
  });
});
