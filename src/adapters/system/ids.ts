import { randomBytes } from 'node:crypto';

/** Crockford's base 32 in lower case: no `i`, `l`, `o` or `u` to be misread over a telephone. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 16;

/** A new id that cannot be guessed (80 bits), such as `s-7f3k9q2m8x0c4v6b` for the prefix `s`. */
export function newId(prefix: string): string {
  const digits = Array.from(randomBytes(LENGTH), (byte) => DIGITS.charAt(byte % DIGITS.length));
  return `${prefix}-${digits.join('')}`;
}
