/** What the documents list is what the code has: nothing is left out, and nothing is made up. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { settings } from '../../src/app/config.js';
import { tokens } from '../../src/app/tokens.js';
import * as contracts from '../../src/contracts/index.js';
import { ROOT } from './scratch.js';

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Every first group of a pattern, once. */
function all(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, found = '']) => found))];
}

/** The first column of the table under a heading. */
function column(document: string, heading: string): readonly string[] {
  const [, section = ''] = document.split(`\n## ${heading}\n`);
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => all(row.split('|')[1] ?? '', /`([^`]+)`/g));
}

describe('docs/errors.md lists exactly', () => {
  const document = read('docs/errors.md');

  test("the fault codes of domain/fault.ts, and the log's own for a bug", () => {
    const codes = all(read('src/domain/fault.ts'), /'(GM_[A-Z_]+)'/g);
    expect(codes.length).toBeGreaterThan(5);
    expect(column(document, 'Faults')).toEqual([...codes, 'GM_BUG']);
  });

  test('the stages of a fault', () => {
    const [, union = ''] = /export type Stage = ([^;]+);/.exec(read('src/domain/fault.ts')) ?? [];
    const stages = all(union, /'([a-z]+)'/g);
    expect(stages.length).toBeGreaterThan(5);
    const [, sentence = ''] = /The stages are ([^.]+)\./.exec(document) ?? [];
    expect(all(sentence, /`([a-z]+)`/g)).toEqual(stages);
  });

  test('the refusals of domain/refusal.ts', () => {
    const kinds = all(read('src/domain/refusal.ts'), /readonly kind: '([a-z-]+)'/g);
    expect(kinds.length).toBeGreaterThan(10);
    expect(column(document, 'Refusals')).toEqual(kinds);
  });

  test('the reasons of domain/session-end.ts', () => {
    const [, union = ''] = /export type EndReason =\s+([^;]+);/.exec(read('src/domain/session-end.ts')) ?? [];
    const reasons = all(union, /'([a-z-]+)'/g);
    expect(reasons.length).toBeGreaterThan(3);
    expect([...column(document, 'Departures')].sort()).toEqual([...reasons].sort());
  });
});

test('.env.example has every setting, with its default and its sentence', () => {
  const entries = [...read('.env.example').matchAll(/^# (.+)\n#([A-Z_]+)=(.*)$/gm)];
  expect(entries.map(([, sentence, name, defaultText]) => ({ name, defaultText, sentence }))).toEqual(settings);
});

describe('docs/adapters.md', () => {
  const document = read('docs/adapters.md');
  const EXAMPLE = 'examples/authorized-keys';

  test('quotes the example as it is', () => {
    // Whatever Markdown's formatter makes of the indentation.
    const lines = (text: string) => text.split('\n').map((line) => line.trim());
    const files = readdirSync(join(ROOT, EXAMPLE)).filter((name) => /\.(ts|json)$/.test(name));
    const sources = files.map((name) => lines(read(`${EXAMPLE}/${name}`)).join('\n'));
    const quotes = [...document.matchAll(/^```(?:ts|json)\n(.*?)^```$/gms)].map(([, code = '']) =>
      lines(code).join('\n'),
    );
    expect(quotes.length).toBeGreaterThan(3);
    expect(quotes.filter((quote) => !sources.some((source) => source.includes(quote.trim())))).toEqual([]);
  });

  test('lists every token, and every contract there is', () => {
    const listed = column(document, 'All ports');
    expect([...listed].sort()).toEqual(Object.keys(tokens).sort());
    for (const name of Object.keys(contracts).filter((exported) => exported.endsWith('Contract'))) {
      expect(document).toContain(`\`${name}\``);
    }
  });
});

test('every link from one document to another file leads somewhere', () => {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    'examples/authorized-keys/README.md',
    ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
  ].filter((path) => path.endsWith('.md') && existsSync(join(ROOT, path)));
  const links = documents.flatMap((path) =>
    all(read(path), /\]\((?![a-z]+:|#)([^)#\s]+)/g).map((target) => ({ path, target })),
  );
  expect(links.length).toBeGreaterThan(3);
  expect(links.filter(({ path, target }) => !existsSync(join(ROOT, dirname(path), target)))).toEqual([]);
});
