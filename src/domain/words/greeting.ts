import type { Caller } from '../session.js';
import { printable } from './printable.js';

/** What `ssh -T` gets: who you are, by which key, and how to use the door. */
export function greetingWords(caller: Caller): string {
  return [
    `Hi ${printable(caller.user.name)}! You have been recognised by the key ${caller.key.sha256}.`,
    'This door speaks git and gives no shell. Use it from a repository:',
    '',
    '    git remote add deploy <this address>:<app>.git',
    '    git push deploy HEAD',
    '',
    `(Connection ${printable(caller.connection.id)}.)`,
    '',
  ].join('\n');
}
