import { printable } from './words/printable.js';

const MAX_LENGTH = 200;
// git-check-ref-format(1): no control character, space, or any of `~^:?*[\`, no `..`, `//` or `@{`.
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|\/\/|@\{/;

/**
 * Whether text names a branch, in its short form (`main`, `team/topic`): git's own rules, and nothing that could
 * move a cursor where the name is printed.
 */
export function isBranchName(text: string): boolean {
  if (text === '' || text.length > MAX_LENGTH || text === '@' || text === 'HEAD') return false;
  if (FORBIDDEN.test(text) || printable(text) !== text) return false;
  if (text.startsWith('-') || text.startsWith('/') || text.endsWith('/') || text.endsWith('.')) return false;
  return text.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'));
}
