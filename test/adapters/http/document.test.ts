/** docs/platform-api.yaml is what the adapter understands, and what it sends: neither says more than the other. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
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
import { answers, complaint, decoded } from './decoding.js';

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

const GRANT = { app: 'shop', access: 'write', creates: false };

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
  'listAuthorities, 200: authorities': [expect.stringMatching(/^ssh-ed25519 AAAA\S+$/)],
  'listAuthorities, 200: no-authorities': [],
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
  'hostKeys, 200: host-keys': ['current', 'next'].map((state) => ({
    privateKey: expect.stringContaining('PRIVATE KEY'),
    state,
  })),
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

test('every call carries its ids: of request and connection always, of the session where there is one', () => {
  const headers = (id: OperationId) => {
    const route = routes.find((known) => known.id === id);
    const parameters = route === undefined ? [] : parametersOf(route.operation);
    return parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name);
  };
  const OF_SESSION = ['X-Request-Id', 'X-Gitmouth-Connection', 'X-Gitmouth-Session'];
  expect(headers('findUser')).toEqual(['X-Request-Id', 'X-Gitmouth-Connection']);
  expect(headers('listAuthorities')).toEqual(['X-Request-Id']);
  expect(headers('authorize')).toEqual(OF_SESSION);
  expect(headers('listApps')).toEqual(['X-Request-Id', 'X-Gitmouth-Connection']);
  expect(headers('hostKeys')).toEqual(['X-Request-Id']);
  expect(headers('openSession')).toEqual([...OF_SESSION, 'Idempotency-Key']);
  expect(headers('endSession')).toEqual(OF_SESSION);
});
