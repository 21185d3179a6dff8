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

/** What a shell's command line says, cut at its NULs. */
function said(shell: readonly [string, ...string[]], line: string): readonly string[] {
  const [command, ...args] = shell;
  const env = { PATH: process.env['PATH'] ?? '' };
  const { stdout, stderr, status } = spawnSync(command, [...args, line], { encoding: 'utf8', env });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\0').slice(0, -1);
}

describe.each([
  ['sh', ['sh', '-c']],
  ['bash', ['bash', '--norc', '-c']],
] as const)('%s', (_name, shell) => {
  test('takes every value as one word', () => {
    expect(said([...shell], `printf '%s\\0' ${VALUES.map(shellWord).join(' ')}`)).toEqual(VALUES);
  });

  test('sets variables to every value, in front of a command', () => {
    const variables = VALUES.map((value, at) => [`VALUE_${at}`, value] as const);
    const found = said([...shell], withVariables('env -0', variables)).map((entry) => entry.split(/=(.*)/s, 2));
    expect(Object.fromEntries(found)).toMatchObject(Object.fromEntries(variables));
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
