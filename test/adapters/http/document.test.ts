/** docs/platform-api.yaml is what the adapter understands, and what it sends: neither says more than the other. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { appsOf, userOf } from '../../../src/adapters/http/answers.js';
import { dynoOf } from '../../../src/adapters/http/dynos.js';
import { grantOf } from '../../../src/adapters/http/grants.js';
import { Trouble } from '../../../src/adapters/remote/trouble.js';
import { sampleRequest } from '../../../src/contracts/samples.js';
import { environmentProblem } from '../../../src/domain/environment.js';
import type { Session } from '../../../src/domain/session.js';
import { ROOT } from '../../architecture/scratch.js';
import {
  document,
  DOCUMENT_PATH,
  examples,
  parametersOf,
  problemOf,
  routes,
  type Example,
  type OperationId,
} from '../../support/platform/document.js';
import { LINK } from '../../support/platform/sessions.js';
import { grant } from './asking.js';
import { caller } from './ground.js';

const REQUEST = sampleRequest('git-receive-pack', 'shop');
const SESSION: Session = { id: 's-1', caller, request: REQUEST };

/** What the adapter makes of an answer. */
function decoded(id: OperationId, value: unknown): unknown {
  const answer = { status: 200, text: JSON.stringify(value) };
  switch (id) {
    case 'findUser':
      return userOf(answer);
    case 'authorize':
      return grantOf(answer, REQUEST);
    case 'listApps':
      return appsOf(answer);
    case 'openSession':
      return dynoOf(answer, grant, SESSION);
    case 'endSession':
      throw new Error('its answer has no body');
  }
}

/** Where the adapter finds an answer to leave the contract; undefined when it takes it. */
function complaint(id: OperationId, value: unknown): string | undefined {
  try {
    decoded(id, value);
    return undefined;
  } catch (error) {
    if (error instanceof Trouble && error.code === 'GM_BAD_ANSWER') return error.message;
    throw error;
  }
}

const answers = examples.filter(({ status }) => status === 200);
const nameOf = ({ id, status, name }: Example) => `${id}, ${status ?? 'asked'}: ${name}`;

test('the document is OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(DOCUMENT_PATH);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(validator.version).toBe('3.1');
});

test('every question and every answer that has a body has an example, and each is as its schema says', () => {
  for (const { id, operation } of routes) {
    const statuses = Object.keys(operation.responses).filter((status) => status !== '204');
    const shown = new Set(examples.filter((example) => example.id === id).map(({ status }) => String(status)));
    const wanted = operation.requestBody === undefined ? statuses : ['undefined', ...statuses];
    expect([...shown].sort()).toEqual(wanted.sort());
  }
  const wrong = examples.map((example) => [nameOf(example), problemOf(example.schema, example.value)]);
  expect(wrong.filter(([, problem]) => problem !== undefined)).toEqual([]);
});

test('the keys in the examples are keys, with their own fingerprints', () => {
  const keys = examples.flatMap(({ value }) => {
    const { key } = value as { key?: Record<'blob' | 'sha256' | 'md5', string> };
    return key === undefined ? [] : [key];
  });
  expect(keys.length).toBeGreaterThan(3);
  for (const { blob, sha256, md5 } of keys) {
    const bytes = Buffer.from(blob, 'base64');
    expect(bytes).toHaveLength(51);
    expect(`SHA256:${createHash('sha256').update(bytes).digest('base64').replace('=', '')}`).toBe(sha256);
    expect(createHash('md5').update(bytes).digest('hex')).toBe(md5);
  }
});

const GRANT = { app: 'shop', access: 'write', lockMode: 'wait', creates: false };

/** What each example of an answer says. */
const MEANINGS: Readonly<Record<string, unknown>> = {
  'findUser, 200: user': { name: 'alice' },
  'findUser, 200: nobody': 'unknown',
  'findUser, 200: deploy-key-to-read': { name: 'shop-ci', binding: { apps: ['shop'], access: 'read' } },
  'findUser, 200: deploy-key-to-write': {
    name: 'shop-ci',
    binding: { apps: ['shop', 'shop-staging'], access: 'write' },
  },
  'findUser, 200: read-only-key': { name: 'alice', binding: { access: 'read' } },
  'authorize, 200: grant': GRANT,
  'authorize, 200: grant-with-everything': {
    ...GRANT,
    lockMode: 'refuse',
    branch: 'main',
    notice: 'Builds are slow today: https://status.platform.example',
    limits: { lockWaitMs: 60_000, sessionMs: 1_800_000 },
    environment: [
      { name: 'BUILD_CACHE', value: 'eu-1', secret: false },
      { name: 'REGISTRY_TOKEN', value: 't0ps3cret', secret: true },
    ],
    reference: 'release:4711',
  },
  // What is asked for here is a push.
  'authorize, 200: grant-to-read': { kind: 'no-access', app: 'shop', service: 'git-receive-pack' },
  'authorize, 200: grant-renamed': { ...GRANT, app: 'store', notice: "'shop' is called 'store' now." },
  'authorize, 200: grant-creating': { ...GRANT, creates: true },
  'authorize, 200: no-access': { kind: 'no-access', app: 'shop', service: 'git-receive-pack' },
  'authorize, 200: key-removed': { kind: 'key-removed' },
  'authorize, 200: archive-off': { kind: 'archive-off', app: 'shop' },
  'authorize, 200: invalid-app-name': { kind: 'invalid-app-name', app: 'shop' },
  'authorize, 200: too-many-apps': { kind: 'too-many-apps', app: 'shop', limit: 5 },
  ...Object.fromEntries(
    ['maintenance', 'read-only', 'renamed', 'suspended', 'limit', 'other'].map((reason) => [
      `authorize, 200: ${reason}`,
      { kind: 'platform', reason, text: expect.stringMatching(/\w/) },
    ]),
  ),
  'listApps, 200: apps': [
    { app: 'blog', access: 'read' },
    { app: 'shop', access: 'write' },
  ],
  'listApps, 200: no-apps': [],
  'listApps, 200: unlisted': undefined,
  'openSession, 200: dyno': {
    id: 'dyno-42',
    link: {
      kind: 'ssh',
      host: 'dyno-42.internal.example',
      port: 22,
      user: 'git',
      hostKey: expect.stringMatching(/^ssh-ed25519 AAAA\S+$/),
      repository: '/srv/repositories/shop.git',
      plan: expect.objectContaining({ service: 'git-receive-pack', access: 'write', secrets: [] }),
    },
  },
  'openSession, 200: dyno-refused': {
    kind: 'platform',
    reason: 'limit',
    text: 'All build hours of this month are used.',
  },
  'openSession, 200: app-gone': { kind: 'no-access', app: 'shop', service: 'git-receive-pack' },
};

describe('each example of an answer means to the adapter what it says', () => {
  test('and there are no others', () => {
    expect(answers.map(nameOf).sort()).toEqual(Object.keys(MEANINGS).sort());
  });

  for (const example of answers)
    test(nameOf(example), () => expect(decoded(example.id, example.value)).toEqual(MEANINGS[nameOf(example)]));
});

/** Every way to leave one thing out, to put one thing in, and to put one thing in the place of another. */
function* changesOf(value: unknown): Generator<unknown> {
  yield* [null, 7, -1, 1.5, true, '', 'x y\u0000', [], {}].filter(
    (other) => JSON.stringify(other) !== JSON.stringify(value),
  );
  if (typeof value !== 'object' || value === null) return;
  const [whole, copy] = Array.isArray(value)
    ? [value as unknown[], () => [...(value as unknown[])]]
    : [value, () => ({ ...value })];
  for (const name of Object.keys(whole)) {
    for (const changed of changesOf(Reflect.get(whole, name))) yield Object.assign(copy(), { [name]: changed });
    if (Array.isArray(value)) continue;
    const without = copy();
    Reflect.deleteProperty(without, name);
    yield without;
  }
  if (!Array.isArray(value)) yield { ...value, unheard_of: 1 };
}

describe('what is not in the document the adapter does not take, and what is it takes', () => {
  for (const example of answers)
    test(`however one changes ${nameOf(example)}`, () => {
      const verdicts = [...changesOf(example.value)].map((value) => ({
        value,
        document: problemOf(example.schema, value) === undefined,
        adapter: complaint(example.id, value) === undefined,
      }));
      expect(verdicts.length).toBeGreaterThan(8);
      expect(verdicts.filter(({ document, adapter }) => document !== adapter)).toEqual([]);
    });
});

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
      'dyno.link.host_key: is no host key',
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

describe('the words the document lists are those of the domain', () => {
  const source = (file: string) => readFileSync(join(ROOT, 'src/domain', file), 'utf8');
  const words = (text: string | undefined) => [...(text ?? '').matchAll(/'([A-Za-z0-9_-]+)'/g)].map(([, word]) => word);
  const union = (file: string, name: string) =>
    words(new RegExp(`export type ${name} =([^;]+);`).exec(source(file))?.[1]);
  const outcomes = (document.components.schemas['Outcome'] as { oneOf: { properties: Record<string, object> }[] })
    .oneOf;
  const listed = (name: string) =>
    outcomes.flatMap(({ properties }) => (properties[name] as { enum?: string[] } | undefined)?.enum ?? []);

  test('faults, stages, signals, reasons, phases', () => {
    expect(listed('code')).toEqual(union('fault.ts', 'FaultCode'));
    expect(listed('stage')).toEqual(union('fault.ts', 'Stage'));
    expect(listed('exit_signal')).toEqual(union('dyno.ts', 'SignalName'));
    expect(listed('reason')).toEqual(union('session-end.ts', 'EndReason'));
    const ending = document.components.schemas['EndSession'] as { properties: { phases_ms: { properties: object } } };
    expect(Object.keys(ending.properties.phases_ms.properties)).toEqual(union('events.ts', 'Phase'));
  });

  test('reasons of refusals', () => {
    const [, , inWords] = (
      document.components.schemas['Refusal'] as { oneOf: { properties: { reason: { enum: string[] } } }[] }
    ).oneOf;
    expect(inWords?.properties.reason.enum).toEqual(union('refusal.ts', 'PlatformReason'));
  });
});

test('every call carries its ids: of the request always, of connection and session where there is one', () => {
  const headers = (id: OperationId) => {
    const route = routes.find((known) => known.id === id);
    const parameters = route === undefined ? [] : parametersOf(route.operation);
    return parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name);
  };
  const OF_SESSION = ['X-Request-Id', 'X-Gitmouth-Connection', 'X-Gitmouth-Session'];
  expect(headers('findUser')).toEqual(['X-Request-Id']);
  expect(headers('authorize')).toEqual(['X-Request-Id', 'X-Gitmouth-Connection']);
  expect(headers('listApps')).toEqual(['X-Request-Id', 'X-Gitmouth-Connection']);
  expect(headers('openSession')).toEqual([...OF_SESSION, 'Idempotency-Key']);
  expect(headers('endSession')).toEqual(OF_SESSION);
});
