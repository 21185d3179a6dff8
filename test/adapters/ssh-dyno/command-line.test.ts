import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { shellWord, withVariables } from '../../../src/adapters/ssh-dyno/command-line.js';

/** Everything a shell makes something of, one after the other. */
const VALUES = [
  '',
  'plain',
  'two words',
  "it's",
  "'",
  "''",
  '\\',
  'ends with \\',
  "\\' $(id)",
  '"double" `id` $(id) $HOME ${HOME}',
  'a\nb\ttab\r',
  '; rm -rf / # && | > < * ? [a] {a,b} ~ !',
  '-n',
  'ü 日本 \u{1f980}',
  '\u0001\u001b[0m\u007f',
];

function said(shell: readonly [string, ...string[]], line: string): string {
  const [command, ...args] = shell;
  const { stdout, stderr, status } = spawnSync(command, [...args, line], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '' },
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

describe.each([
  ['sh', ['sh', '-c']],
  ['bash', ['bash', '--norc', '-c']],
] as const)('%s', (_name, shell) => {
  test.each(VALUES)('takes %j as one word', (value) => {
    expect(said([...shell], `printf %s ${shellWord(value)}`)).toBe(value);
  });

  test.each(VALUES)('sets a variable to %j in front of a command', (value) => {
    expect(said([...shell], withVariables('printenv A', [['A', value]]))).toBe(`${value}\n`);
  });
});

test('a command without variables stays as git says it', () => {
  expect(withVariables("git-upload-pack '/a'", [])).toBe("git-upload-pack '/a'");
});

test('no quote is left open by a backslash, wherever one escapes it', () => {
  // fish takes \' within quotes for a quote.
  expect(shellWord('a\\')).toBe("'a'\\\\''");
  expect(shellWord("a'b")).toBe("'a'\\''b'");
});
