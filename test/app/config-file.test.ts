/** The file of `--config`: what goes before what, and how mistakes in it read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig } from '../../src/app/config.js';
import { temporaryFolder } from '../support/temporary.js';

function fileOf(text: string): string {
  const file = join(temporaryFolder('config'), 'gitmouth.conf');
  writeFileSync(file, text);
  return file;
}

function problemsOf(file: string, environment: Record<string, string> = {}): readonly string[] {
  try {
    readConfig({ GITMOUTH_CONFIG: file }, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the file of settings', () => {
  test('goes before the defaults, the environment before it, and the command line before both', () => {
    const file = fileOf('GITMOUTH_DATA=/f\nGITMOUTH_LISTEN=127.0.0.1:1\nGITMOUTH_LOGIN_NAME=file\nGITMOUTH_DYNOS=7\n');
    const environment = { GITMOUTH_CONFIG: file, GITMOUTH_LISTEN: '127.0.0.1:2', GITMOUTH_LOGIN_NAME: 'environment' };
    expect(readConfig({ GITMOUTH_LISTEN: '127.0.0.1:3' }, environment)).toMatchObject({
      ...{ dataFolder: '/f', listen: [{ port: 3 }], loginName: 'environment', admission: { dynos: 7 } },
      ...{ sandbox: 'auto' },
    });
  });

  test('on the command line goes before the one of the environment', () => {
    const [one, other] = [fileOf('GITMOUTH_LOGIN_NAME=one'), fileOf('GITMOUTH_LOGIN_NAME=other')];
    expect(readConfig({ GITMOUTH_CONFIG: other }, { GITMOUTH_CONFIG: one }).loginName).toBe('other');
  });

  test('may have comments, quotes, spaces, empty lines and the names of other programs', () => {
    const file = fileOf(
      '# a comment\r\n\nexport GITMOUTH_LOGIN_NAME="git" # so\n  GITMOUTH_DYNOS = 9\nNODE_ENV=x\nEMPTY=\n',
    );
    expect(readConfig({ GITMOUTH_CONFIG: file }, {})).toMatchObject({ loginName: 'git', admission: { dynos: 9 } });
  });

  test('an empty value in the environment unsets what the file sets', () => {
    const file = fileOf('GITMOUTH_LOGIN_NAME=git');
    expect(readConfig({ GITMOUTH_CONFIG: file }, { GITMOUTH_LOGIN_NAME: '' })).not.toHaveProperty('loginName');
  });

  test('is named in what is wrong with its values, and in nothing that the environment is to blame for', () => {
    const file = fileOf('GITMOUTH_DYNOS=many\nGITMOUTH_SANDBOX=docker\nGITMOUTH_LISTN=1\nGITMOUTH_DATA=\n');
    expect(problemsOf(file, { GITMOUTH_SANDBOX: 'none at all' })).toEqual([
      `GITMOUTH_LISTN is not a setting of gitmouth: check its name (in ${file})`,
      `GITMOUTH_DATA must not be empty (in ${file})`,
      "GITMOUTH_SANDBOX must be auto, bubblewrap or none; it is 'none at all'",
      `GITMOUTH_DYNOS must be a whole number from 1 to 100000; it is 'many' (in ${file})`,
    ]);
  });

  test.each([
    [
      'a line that sets nothing',
      'GITMOUTH_DYNOS=7\nGITMOUTH_SANDBOX none\n',
      /, line 2: is neither NAME=VALUE nor a comment$/,
    ],
    ['itself', 'GITMOUTH_CONFIG=/etc/other', /^GITMOUTH_CONFIG names this file, and can't be set in it/],
  ])('may not have %s', (_what, text, problem) => {
    expect(problemsOf(fileOf(text))).toEqual([expect.stringMatching(problem)]);
  });

  test('has no secret of it repeated', () => {
    const problems = problemsOf(
      fileOf('GITMOUTH_PLATFORM=http\nGITMOUTH_API_SECRET="a secret"\nGITMOUTH_API_URL=https://x/'),
    );
    expect(problems).toEqual([expect.stringMatching(/^GITMOUTH_API_SECRET must be printable/)]);
    expect(problems.join()).not.toContain('a secret');
  });

  test.each([
    ['is not there', join(temporaryFolder('config'), 'none.conf')],
    ['is a folder', temporaryFolder('config')],
  ])('that %s is the problem', (_what, file) => {
    expect(problemsOf(file)).toEqual([expect.stringMatching(`^${file} can't be read`)]);
  });
});
