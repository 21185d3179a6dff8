/** What messages are made of, where it is not done by ssh2 (RFC 4251 5). */
import { describe, expect, test } from '@jest/globals';
import { mpint, string, strings } from '../../../src/adapters/ssh2/messages.js';

describe('a positive number', () => {
  test.each([
    ['0000', '00000000'],
    ['7f', '000000017f'],
    ['80', '000000020080'],
    ['000001ff', '0000000201ff'],
    ['00ff', '0000000200ff'],
  ])('of the digits %s is %s', (digits, expected) => {
    expect(mpint(Buffer.from(digits, 'hex')).toString('hex')).toBe(expected);
  });
});

describe('a row of strings', () => {
  const row = Buffer.concat(['one', '', 'three'].map(string));

  test('is read one after the other', () => {
    expect(strings(row, 3)?.map(String)).toEqual(['one', '', 'three']);
    expect(strings(Buffer.alloc(0), 3)).toEqual([]);
  });

  test('that is longer than it may be, or cut short at any byte between two, is none', () => {
    expect(strings(row, 2)).toBeUndefined();
    for (let length = 1; length < row.length; length++) {
      const isBetween = [7, 11].includes(length);
      expect({ length, isRow: strings(row.subarray(0, length), 3) !== undefined }).toEqual({
        length,
        isRow: isBetween,
      });
    }
  });
});
