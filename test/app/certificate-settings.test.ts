/** The files of an operator who trusts authorities: what they may hold, and what is said of what they may not. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readKeyLine } from '../../src/adapters/ssh2/public-keys.js';
import { ConfigError, readConfig, type Config } from '../../src/app/config.js';
import { differences, reloaded } from '../../src/app/reload.js';
import { temporaryFolder } from '../support/temporary.js';

const CA = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID0k25/ilaBLpGmp79/6b09sjZw4SflkkNhCT983G6fv';
const CA_SHA256 = 'SHA256:s5jS5b2IF6qHIuUP9q74zszCzK5Yi/41c/eW1uYrvV0';
const OTHER = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGzy8+BfOZesEY0tT/Rc3iLysKy2M+lXH40bjZMunIll';

type Name = 'GITMOUTH_USER_CA' | 'GITMOUTH_REVOKED';

function sha256Of(line: string): string {
  const reading = readKeyLine(line);
  if ('problem' in reading) throw new Error(reading.problem);
  return reading.key.sha256;
}

function written(text: string | Uint8Array): string {
  const path = join(temporaryFolder('certificates'), 'file');
  writeFileSync(path, text);
  return path;
}

function configWith(name: Name, text: string): Config {
  return readConfig({}, { [name]: written(text) });
}

function problemsOf(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig({}, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('with nothing set no authority counts, nothing is revoked, and a principal would name the user', () => {
  expect(readConfig({}, {}).certificates).toEqual({
    authorities: [],
    naming: 'principal',
    revocations: { keys: new Set(), serials: [], keyIds: [] },
  });
});

describe('GITMOUTH_USER_CA', () => {
  test('is a file of keys, with comments, empty lines and what sshd writes in front', () => {
    const text = `# of the platform\n\n${CA} ca@platform\r\n  cert-authority ${OTHER}\n`;
    const { authorities } = configWith('GITMOUTH_USER_CA', text).certificates;
    if (authorities === 'platform') throw new Error('it is a file');
    expect(authorities.map(({ sha256 }) => sha256)).toEqual([CA_SHA256, sha256Of(OTHER)]);
  });

  test.each([
    ['no key', '# none yet\n', ['it holds no key']],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n', ['it is a private key, which has no place here']],
    [
      'lines that are wrong',
      `${CA}\nprincipals="x" ${CA}\nnonsense\n${CA} ok\nssh-ed25519 AAAA\n`,
      ['line 2: this is not a public key', 'line 3: this is not a public key', 'line 5: this'],
    ],
  ])('that holds %s is a problem, which quotes nothing of it', (_, text, expected) => {
    const path = written(text);
    const problems = problemsOf({ GITMOUTH_USER_CA: path });
    expect(problems).toHaveLength(expected.length);
    for (const [index, why] of expected.entries()) {
      expect(problems[index]).toContain(`GITMOUTH_USER_CA: ${path}, ${why}`);
      expect(problems[index]).not.toMatch(/nonsense|AAAA[A-Z]/);
    }
  });

  test('of a file of something else altogether is a few problems, and no flood', () => {
    const problems = problemsOf({ GITMOUTH_USER_CA: written('x\n'.repeat(500)) });
    expect(problems).toHaveLength(11);
    expect(problems.at(-1)).toContain('and 490 more lines are wrong');
  });

  test('must be a file that can be read', () => {
    expect(problemsOf({ GITMOUTH_USER_CA: '/nowhere/ca.pub' })).toEqual([
      expect.stringMatching(
        /^GITMOUTH_USER_CA must be a file that can be read \(ENOENT.*\); it is '\/nowhere\/ca.pub'$/,
      ),
    ]);
  });

  test('is platform where there is an API to ask, and nowhere else', () => {
    const http = {
      GITMOUTH_PLATFORM: 'http',
      GITMOUTH_API_URL: 'https://platform.example',
      GITMOUTH_API_SECRET: 'shared',
      GITMOUTH_USER_CA: 'platform',
    };
    expect(readConfig({}, http).certificates.authorities).toBe('platform');
    expect(problemsOf({ GITMOUTH_USER_CA: 'platform' })).toEqual([
      "GITMOUTH_USER_CA is platform, which the platform 'embedded' knows nothing of: name a file",
    ]);
  });
});

test('GITMOUTH_CERTIFICATE_USER is principal or key-id', () => {
  expect(readConfig({}, { GITMOUTH_CERTIFICATE_USER: 'key-id' }).certificates.naming).toBe('key-id');
  expect(problemsOf({ GITMOUTH_CERTIFICATE_USER: 'name' })).toEqual([
    "GITMOUTH_CERTIFICATE_USER must be principal or key-id; it is 'name'",
  ]);
});

describe('GITMOUTH_REVOKED', () => {
  const revoked = (text: string) => configWith('GITMOUTH_REVOKED', text).certificates.revocations;

  test('is a list as ssh-keygen takes it, of serials, key ids, keys and fingerprints', () => {
    const text = [
      '# lost laptops',
      'serial: 7',
      'serial: 10-20',
      'Serial:0x1f - 0x20',
      'serial: 18446744073709551615',
      'id: alice@laptop',
      'id: with spaces: and more ',
      CA,
      `key: ${OTHER} a comment`,
      '',
    ].join('\n');
    expect(revoked(text)).toEqual({
      serials: [
        { first: 7n, last: 7n },
        { first: 10n, last: 20n },
        { first: 31n, last: 32n },
        { first: 2n ** 64n - 1n, last: 2n ** 64n - 1n },
      ],
      keyIds: [{ keyId: 'alice@laptop' }, { keyId: 'with spaces: and more' }],
      keys: new Set([CA_SHA256, sha256Of(OTHER)]),
    });
  });

  test.each([
    `sha256: ${CA_SHA256}`,
    `hash: ${CA_SHA256}`,
    `sha256: ${CA}`,
    `sha1: ${CA}`,
    `SHA256:${CA_SHA256.slice(7)}`,
  ])('a key is revoked by %s', (line) => {
    expect([...revoked(line).keys]).toEqual([CA_SHA256]);
  });

  test('what stands below ca: is of that authority, until the next', () => {
    const other = sha256Of(OTHER);
    const text = `serial: 1\nca: ${CA_SHA256}\nserial: 2\nid: x\nca: ${OTHER}\nid: y\nca: any\nserial: 3`;
    const { serials, keyIds } = revoked(text);
    expect(serials).toEqual([
      { first: 1n, last: 1n },
      { authority: CA_SHA256, first: 2n, last: 2n },
      { first: 3n, last: 3n },
    ]);
    expect(keyIds).toEqual([
      { authority: CA_SHA256, keyId: 'x' },
      { authority: other, keyId: 'y' },
    ]);
  });

  test('may be empty', () => {
    expect(revoked('')).toEqual({ keys: new Set(), serials: [], keyIds: [] });
  });

  test.each([
    ['serial: seven', 'it must be serial: NUMBER or serial: FIRST-LAST'],
    ['serial: 1-2-3', 'it must be serial: NUMBER or serial: FIRST-LAST'],
    ['serial: 017', 'it must be serial: NUMBER or serial: FIRST-LAST'],
    ['serial: 9-8', 'the first serial is greater than the last'],
    ['id:', 'it must be id: KEY-ID'],
    ['id: alice@laptop # stolen', 'for ssh-keygen a comment begins at #'],
    ['id: build#7', 'for ssh-keygen a comment begins at #'],
    ['ca: somebody', 'it must be ca: FINGERPRINT'],
    ['sha256: abc', 'this is not a public key'],
    ['user: alice', 'it begins with none of serial:, id:'],
    ['alice', 'this is not a public key'],
  ])('with the line %j is a problem of that line', (line, why) => {
    const path = written(`# first\nserial: 1\n${line}\n`);
    const problems = problemsOf({ GITMOUTH_REVOKED: path });
    expect(problems).toEqual([expect.stringContaining(`GITMOUTH_REVOKED: ${path}, line 3: ${why}`)]);
  });

  test('with a key id in another encoding than UTF-8 is a problem: it would revoke nothing', () => {
    const path = written(Buffer.from('id: m\u00fcller\n', 'latin1'));
    expect(problemsOf({ GITMOUTH_REVOKED: path })).toEqual([
      `GITMOUTH_REVOKED: ${path}, line 1: the key id is not in UTF-8, as those of certificates are`,
    ]);
  });

  test('in binary form is refused, with what to give instead', () => {
    const path = written(Buffer.from('SSHKRL\n\0\0\0\0\u0001\n\n'));
    expect(problemsOf({ GITMOUTH_REVOKED: path })).toEqual([
      `GITMOUTH_REVOKED: ${path}, it is a binary list as ssh-keygen -k makes it: ` +
        'give the text that it was made from (serial:, id:, sha256:, keys)',
    ]);
  });
});

test('a reload takes over what a file holds now, and tells which has changed', () => {
  const path = written('serial: 1\n');
  const environment = { GITMOUTH_REVOKED: path, GITMOUTH_USER_CA: written(CA) };
  const present = readConfig({}, environment, 2);
  expect(differences(present, readConfig({}, environment, 2))).toEqual({ changed: [], needRestart: [] });
  writeFileSync(path, 'serial: 2\n');
  const wanted = readConfig({}, environment, 2);
  expect(differences(present, wanted)).toEqual({ changed: ['GITMOUTH_REVOKED'], needRestart: [] });
  const next = reloaded(present, wanted);
  expect(next.certificates.revocations.serials).toEqual([{ first: 2n, last: 2n }]);
  expect(differences(next, wanted)).toEqual({ changed: [], needRestart: [] });
});

test('all problems of both files are told at once', () => {
  const problems = problemsOf({ GITMOUTH_USER_CA: written('x'), GITMOUTH_REVOKED: written('y\nz'), GITMOUTH_LOG: 'q' });
  expect(problems).toHaveLength(4);
});
