/** What docs/openruko.md tells operators to look for is what the program says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { settings } from '../../src/app/config.js';
import { ROOT } from './scratch.js';

const document = readFileSync(join(ROOT, 'docs/openruko.md'), 'utf8');

/** The first column of the table under a heading. */
function column(heading: string): readonly string[] {
  const [, section = ''] = document.split(`\n## ${heading}\n`);
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? '');
}

/** All code as text, without what a line break makes of a long message. */
function sources(): string {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
    .join('\n');
}

describe('docs/openruko.md', () => {
  test('has messages that the program has, whatever stands for a name or a number in them', () => {
    const code = sources();
    const messages = column('When it does not work');
    expect(messages.length).toBeGreaterThan(10);
    const parts = messages.flatMap((message) => message.split('…')).filter((part) => part.length > 4);
    expect(parts.filter((part) => !code.includes(part.trim()))).toEqual([]);
  });

  test('names settings that there are, with the defaults they have', () => {
    const known = new Map(settings.map(({ name, defaultText }) => [name, defaultText]));
    const named = [...document.matchAll(/`((?:GITMOUTH|APISERVER|DYNOHOST)_[A-Z0-9_]+)(?:=[a-z]+)?`/g)];
    expect(named.length).toBeGreaterThan(15);
    expect(named.map(([, name = '']) => name).filter((name) => !known.has(name))).toEqual([]);
    const rows = [...document.matchAll(/^\| `([A-Z_]+)` +\| (?:`([^`]*)`|none) +\|/gm)];
    expect(rows.length).toBe(8);
    expect(rows.map(([, name = '', defaultText = '']) => [name, defaultText])).toEqual(
      rows.map(([, name = '']) => [name, known.get(name)]),
    );
  });
});
