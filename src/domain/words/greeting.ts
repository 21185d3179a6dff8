import type { AppAccess } from '../grant.js';
import type { Caller } from '../session.js';
import { proofClause } from './certificate.js';
import { printable } from './printable.js';

/** A greeting names so many apps. */
const MOST_APPS = 20;

/**
 * What `ssh -T` gets: who you are, by which key or certificate, and how to use the door.
 *
 * @param apps undefined where they can't be listed.
 */
export function greetingWords(caller: Caller, apps: readonly AppAccess[] | undefined): string {
  return [
    `Hi ${printable(caller.user.name)}! You have been recognised by ${proofClause(caller)}.`,
    'This door speaks git and gives no shell. Use it from a repository:',
    '',
    '    git remote add deploy <this address>:<app>.git',
    '    git push deploy HEAD',
    '',
    '`ssh <this address> doctor` tells what this door knows of you and your connection.',
    '',
    ...(apps === undefined ? [] : [...appLines(apps), '']),
    `(Connection ${printable(caller.connection.id)}.)`,
    '',
  ].join('\n');
}

function appLines(apps: readonly AppAccess[]): readonly string[] {
  if (apps.length === 0) return ['There is no app of yours yet.'];
  const shown = apps.slice(0, MOST_APPS);
  const lines = shown.map(({ app, access }) => `    ${printable(app)}${access === 'read' ? ' (to read)' : ''}`);
  const more = apps.length - shown.length;
  return ['Your apps:', '', ...lines, ...(more > 0 ? [`    and ${more} more`] : [])];
}
