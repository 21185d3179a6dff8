import { describe, expect, test } from '@jest/globals';
import { isBranchName } from '../../src/domain/branch-name.js';

describe('a branch', () => {
  test.each(['main', 'team/topic', 'v1.2', 'a@b', 'feature#1', 'größe', 'x'.repeat(200)])('may be named %j', (name) => {
    expect(isBranchName(name)).toBe(true);
  });

  const forbidden = [
    '',
    '@',
    'HEAD',
    '-f',
    '/a',
    'a/',
    'a//b',
    'a.',
    '.a',
    'a/.b',
    'a.lock',
    'a.lock/b',
    'a..b',
    'a@{1}',
  ];
  const characters = [' ', '~', '^', ':', '?', '*', '[', '\\', '\n', '\0', '\u007f', '\u0085', '\u202e', '\ud800'];
  test.each([...forbidden, ...characters.map((character) => `a${character}b`), 'x'.repeat(201)])(
    'is not named %j',
    (name) => {
      expect(isBranchName(name)).toBe(false);
    },
  );
});
