/** What a platform may name, and what becomes of an answer that leaves the contract. */
import { describe, expect, test } from '@jest/globals';
import { grantOf } from '../../../src/adapters/http/grants.js';
import { sampleRequest } from '../../../src/contracts/samples.js';
import { environmentProblem } from '../../../src/domain/environment.js';
import { problemOf, type OperationId } from '../../support/platform/document.js';
import { LINK } from '../../support/platform/sessions.js';
import { answers, complaint, decoded } from './decoding.js';

describe('the names in an answer', () => {
  const withVariable = (name: string, value = 'x') => ({
    grant: { app: 'shop', access: 'write', environment: [{ name, value, secret: true }] },
  });
  const authorized = { $ref: '#/components/schemas/Authorized' };

  test.each([
    'PATH',
    'HOME',
    'LANG',
    'GIT_DIR',
    'GITMOUTH_USER',
    'LD_PRELOAD',
    'lower',
    '1A',
    'A-B',
    '',
    'A'.repeat(65),
  ])('the variable %j is a fault that names it and not its value', (name) => {
    const told = complaint('authorize', withVariable(name, 'hunter2'));
    expect(told).toContain(`grant.environment[0]: the variable '${name.slice(0, 64)}`);
    expect(told).not.toContain('hunter2');
    expect(problemOf(authorized, withVariable(name))).toBeDefined();
  });

  test.each(['A', 'PATHS', 'MY_GIT_DIR', 'LDX', 'A'.repeat(64)])('the variable %j is fine', (name) => {
    expect(environmentProblem({ name, value: 'x', secret: false })).toBeUndefined();
    expect(complaint('authorize', withVariable(name))).toBeUndefined();
    expect(problemOf(authorized, withVariable(name))).toBeUndefined();
  });

  test('a value that is too long or holds a NUL, a name that is set twice, and too many of them are faults', () => {
    const many = (names: readonly string[]) => ({
      grant: { app: 'shop', access: 'write', environment: names.map((name) => ({ name, value: 'v', secret: false })) },
    });
    expect(complaint('authorize', withVariable('LONG', 'x'.repeat(8193)))).toContain('LONG is longer than 8192');
    expect(complaint('authorize', withVariable('LONG', 'x'.repeat(8192)))).toBeUndefined();
    expect(complaint('authorize', withVariable('NUL', 'a\0b'))).toContain('NUL holds a NUL');
    expect(complaint('authorize', many(['A', 'B', 'A']))).toContain("environment[2]: the variable 'A': is set twice");
    const names = Array.from({ length: 65 }, (_, index) => `V${index}`);
    expect(complaint('authorize', many(names.slice(1)))).toBeUndefined();
    expect(complaint('authorize', many(names))).toContain('grant.environment');
    for (const value of [withVariable('LONG', 'x'.repeat(8193)), withVariable('NUL', 'a\0b'), many(names)])
      expect(problemOf(authorized, value)).toBeDefined();
  });

  const rows: readonly (readonly [
    string,
    (name: string) => [OperationId, object],
    readonly string[],
    readonly string[],
  ])[] = [
    [
      'a user',
      (user) => ['findUser', { user }],
      ['alice', '7', 'a.b_c-d', 'a'.repeat(32)],
      ['Alice', '-a', '.a', 'a b', 'a'.repeat(33), 'a\n', '../a', 'é'],
    ],
    [
      'an app',
      (app) => ['authorize', { grant: { app, access: 'write' } }],
      ['shop', 'Shop', 'a@b', 'acme/shop', 'a'.repeat(63)],
      ['-shop', 'a/b/c', '/shop', 'shop/', '..', 'a b', 'a'.repeat(64), 'shop\n', 'shop.git'],
    ],
    ...(
      [
        ['host', ['10.0.0.7', 'dyno.example', '::1', 'fe80::1'], ['-oProxyCommand=x', 'a b', '[::1]', 'a/b', 'a\n']],
        ['user', ['git', 'dyno-42', '_x', 'a@b'], ['-l', 'a b', '', 'a\n', 'a;b']],
        ['repository', ['/srv/a.git', '~git/a.git', 'a.git'], ['-a', "/a'b", '/a b', '/a\n', '', '/$HOME', '/a`b`']],
        [
          'host_key',
          [LINK.host_key],
          [`${LINK.host_key} comment`, LINK.host_key.replace('ssh-ed25519', 'ssh-dss'), 'AAAA', `${LINK.host_key}\n`],
        ],
      ] as const
    ).map(
      ([name, good, bad]) =>
        [
          `the ${name} of a link`,
          (value: string): [OperationId, object] => [
            'openSession',
            { dyno: { id: 'd', link: { ...LINK, [name]: value } } },
          ],
          good,
          bad,
        ] as const,
    ),
    [
      'a dyno',
      (id) => ['openSession', { dyno: { id, link: LINK } }],
      ['dyno-42', 'a.b:c_d', 'i-0abc'],
      ['', '-a', 'a b', 'a/b', 'a\n', 'a'.repeat(129)],
    ],
  ];
  for (const [what, answerWith, good, bad] of rows)
    test(`${what} is as the document says: ${good[0]}, and not ${JSON.stringify(bad[0])}`, () => {
      for (const [names, isGood] of [
        [good, true],
        [bad, false],
      ] as const)
        for (const name of names) {
          const [id, value] = answerWith(name);
          const { schema } = answers.find((example) => example.id === id) ?? {};
          expect([name, complaint(id, value) === undefined]).toEqual([name, isGood]);
          expect([name, problemOf(schema ?? {}, value) === undefined]).toEqual([name, isGood]);
        }
    });

  test('what a schema can not see the adapter does: a host key of another type, a branch git would not take', () => {
    const mixed = LINK.host_key.replace('ssh-ed25519', 'ssh-rsa');
    expect(complaint('openSession', { dyno: { id: 'd', link: { ...LINK, host_key: mixed } } })).toContain(
      'dyno.link.host_key: is no Ed25519 or RSA host key',
    );
    const branched = { grant: { app: 'shop', access: 'write', branch: 'a..b' } };
    expect(complaint('authorize', branched)).toContain('grant.branch: is no name of a branch');
  });
});

test('a text that is too long is cut: a refusal that talks too much is a refusal all the same', () => {
  const refusal = { refusal: { reason: 'other', text: 'x'.repeat(5_000) } };
  expect(decoded('authorize', refusal)).toEqual({ kind: 'platform', reason: 'other', text: `${'x'.repeat(4_000)}…` });
});

test('an app that would be created for who only reads it, and writing granted to a reader', () => {
  const fetching = sampleRequest('git-upload-pack', 'shop');
  const answer = (value: object) => ({ status: 200, text: JSON.stringify({ grant: value }) });
  const creating = answer({ app: 'shop', access: 'write', creates: true });
  expect(() => grantOf(creating, fetching)).toThrow('create an app for who only reads it');
  expect(grantOf(answer({ app: 'shop', access: 'write' }), fetching)).toMatchObject({ access: 'read' });
});
