import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Client } from './client.js';
import { CLIENTS } from './clients.js';
import { KEY_KINDS } from './keys.js';

const PAGE = join(import.meta.dirname, '../../docs/clients.md');

test('docs/clients.md has a line for each client, with the keys that it works with in each set', () => {
  const rows = readFileSync(PAGE, 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, name, , modern, compatible]) => ({ name, modern, compatible }));
  for (const { name, works } of CLIENTS) {
    const found = rows.filter((row) => row.name === name);
    expect(found).toEqual([{ name, modern: words(works.modern), compatible: words(works.compatible) }]);
  }
});

function words(keys: Client['works']['modern']): string {
  if (keys.length === 0) return 'none';
  return KEY_KINDS.every((kind) => keys.includes(kind)) ? 'every key' : keys.join(', ');
}
