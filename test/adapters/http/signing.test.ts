/** Who is asking: signatures and tokens, checked by the code that docs/platform-api.md gives to platforms. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { PlatformClient } from '../../../src/adapters/http/platform-client.js';
import { authHeaders, type Signed } from '../../../src/adapters/http/signing.js';
import { until } from '../../../src/contracts/contract.js';
import { ROOT } from '../../architecture/scratch.js';
import { PlatformServer, SECRET, TOKEN } from '../../support/platform/platform-server.js';
import { LINK } from '../../support/platform/sessions.js';
import { credentialProblem } from '../../support/platform/signature.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { ask, outcomeOf, QUESTIONS } from './asking.js';
import { caller, inHouse, openGround, settingsFor } from './ground.js';

const { test, describe } = needs('openssl');
const { test: testInPython } = needs('python3');
const { test: testByHand } = needs('openssl', 'curl');

const GUIDE = readFileSync(join(ROOT, 'docs/platform-api.md'), 'utf8');
const DOCUMENTED_SECRET = 'a-long-random-secret';

/** The one piece of code in the guide that begins with these words. */
function codeOf(language: string, beginning: string): string {
  const pieces = [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, code = '']) => code,
  );
  const [piece, ...others] = pieces.filter((code) => code.startsWith(beginning));
  if (piece === undefined || others.length > 0) throw new Error(`not one piece of ${language} begins so: ${beginning}`);
  return piece;
}

const HMAC = { kind: 'hmac', secret: SECRET } as const;
const QUESTION: Signed = { method: 'POST', path: '/v1/find-user?x=1', body: '{"key":"é"}' };
const NOW_MS = Date.UTC(2026, 0, 1);

/** What a platform says of a request with these headers. */
function problemOf(
  headers: Record<string, string>,
  { method, path, body }: Signed,
  nowMs = NOW_MS,
): string | undefined {
  const lowerCase = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const request = { headers: lowerCase, method, url: path } as unknown as IncomingMessage;
  return credentialProblem(HMAC, request, Buffer.from(body), nowMs);
}

describe('a signature', () => {
  test('is as the guide has it', () => {
    const signed = { method: 'GET', path: '/v1/users/alice/apps', body: '' };
    const headers = authHeaders({ kind: 'hmac', secret: DOCUMENTED_SECRET }, signed, 1_767_225_600_999);
    const shown = [...GUIDE.matchAll(/^(X-Gitmouth-\w+): (\w+)$/gm)].map(([, name, value]) => [name, value]);
    expect(shown).toHaveLength(2);
    expect(headers).toEqual(Object.fromEntries(shown));
  });

  test('is good for the one request it was made for, by the one secret, for five minutes either way', () => {
    const headers = authHeaders(HMAC, QUESTION, NOW_MS);
    expect(problemOf(headers, QUESTION)).toBeUndefined();
    for (const changed of [{ method: 'GET' }, { path: '/v1/find-user?x=2' }, { body: '{"key":"e"}' }])
      expect(problemOf(headers, { ...QUESTION, ...changed })).toBe('the signature does not match');
    const other = authHeaders({ kind: 'hmac', secret: 'another' }, QUESTION, NOW_MS);
    expect(problemOf(other, QUESTION)).toBe('the signature does not match');
    const later = { ...headers, 'X-Gitmouth-Timestamp': String(NOW_MS / 1000 + 1) };
    expect(problemOf(later, QUESTION)).toBe('the signature does not match');
    for (const sign of [-1, 1]) {
      expect(problemOf(headers, QUESTION, NOW_MS + sign * 299_000)).toBeUndefined();
      expect(problemOf(headers, QUESTION, NOW_MS + sign * 301_000)).toBe('the timestamp is too old or too new');
    }
  });

  test('shows nothing of the secret', () => {
    expect(JSON.stringify(authHeaders(HMAC, QUESTION, NOW_MS))).not.toContain(SECRET);
  });
});

describe('a platform that is asked', () => {
  test('with another secret refuses, and that is a fault: what it says is not shown to users', () =>
    inHouse(
      async ({ client, server }) => {
        for (const question of QUESTIONS) {
          const stage = {
            findUser: 'identify',
            authorize: 'authorize',
            listApps: 'authorize',
            openSession: 'provision',
          };
          expect(await outcomeOf(client, question)).toBe(`fault GM_BAD_ANSWER ${stage[question]}`);
        }
        await expect(ask(client, 'findUser')).rejects.toThrow("does not accept gitmouth's signature");
        expect(server.calls).toEqual([]);
      },
      {},
      { auth: { kind: 'hmac', secret: 'another' } },
    ));

  test('with a token takes it as it is, over TLS and without', async () => {
    const credential = { kind: 'bearer', token: TOKEN } as const;
    for (const identity of [{ identity: openGround().identity }, {}]) {
      const server = await PlatformServer.start({ ...identity, credential });
      const [client, stranger] = [credential, { kind: 'bearer', token: 'another' } as const].map(
        (auth) => new PlatformClient(settingsFor(server.url, { auth })),
      );
      try {
        server.people.register('alice', caller.key.blob);
        server.people.createApp('shop', 'alice');
        if (client === undefined || stranger === undefined) throw new Error('there are two');
        for (const question of QUESTIONS) expect(await outcomeOf(client, question)).toBe('yes');
        expect(await outcomeOf(stranger, 'findUser')).toBe('fault GM_BAD_ANSWER identify');
        server.misbehave('findUser', 'echo');
        expect(await outcomeOf(client, 'findUser')).toBe('fault GM_UNAVAILABLE identify');
        expect(server.violations).toEqual([]);
      } finally {
        client?.close();
        stranger?.close();
        await server.stop();
      }
    }
  });

  test('finds all of a question under one id, and no two questions under the same', () =>
    inHouse(async ({ client, server }) => {
      server.misbehave('authorize', 'broken', 2);
      await ask(client, 'authorize');
      await ask(client, 'authorize');
      const ids = server.callsOf('authorize').map(({ headers }) => headers['x-request-id']);
      expect(ids).toHaveLength(4);
      expect(new Set(ids.slice(0, 3)).size).toBe(1);
      expect(new Set(ids).size).toBe(2);
      const connections = server.callsOf('authorize').map(({ headers }) => headers['x-gitmouth-connection']);
      expect(new Set(connections)).toEqual(new Set([caller.connection.id]));
    }));
});

/** The platform of the guide, in a process of its own. */
async function withGuidesPlatform(use: (url: string, output: () => string) => Promise<void>): Promise<void> {
  const file = join(temporaryFolder('platform'), 'platform.mjs');
  writeFileSync(file, codeOf('js', 'import { createHmac'));
  const environment = {
    PATH: process.env['PATH'],
    SECRET,
    PORT: '0',
    ALICES_KEY: Buffer.from(caller.key.blob).toString('base64'),
    DYNO_HOST_KEY: LINK.host_key,
  };
  const child = spawn(process.execPath, [file], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    await until(() => /on port \d+/.test(output), 'it listens');
    await use(`http://127.0.0.1:${/on port (\d+)/.exec(output)?.[1] ?? ''}`, () => output);
  } finally {
    child.kill();
    await ended;
  }
}

describe('the code of the guide', () => {
  test('is a platform that answers every question', () =>
    withGuidesPlatform(async (url, output) => {
      const client = new PlatformClient(settingsFor(url));
      const stranger = new PlatformClient(settingsFor(url, { auth: { kind: 'hmac', secret: 'another' } }));
      try {
        for (const question of QUESTIONS) expect(await outcomeOf(client, question)).toBe('yes');
        await until(() => output().includes("has ended: { kind: 'ran', exit_status: 0 }"), 'it heard of the end');
        expect(await outcomeOf(stranger, 'findUser')).toBe('fault GM_BAD_ANSWER identify');
      } finally {
        client.close();
        stranger.close();
      }
    }));

  testByHand('asks it the same by openssl and curl', () =>
    withGuidesPlatform(async (url) => {
      const environment = {
        PATH: process.env['PATH'],
        SECRET,
        URL: url,
        ALICES_KEY: Buffer.from(caller.key.blob).toString('base64'),
      };
      const script = `${codeOf('bash', 'ask() {').replaceAll(/^ask .*$/gm, '$&; echo')}\nSECRET=another ask GET /v1/users/alice/apps`;
      const child = spawn('bash', ['-euc', script], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
      const answers = said.split('\n').map((line) => (line === '' ? undefined : (JSON.parse(line) as unknown)));
      expect(answers).toEqual([
        { user: 'alice' },
        { grant: { app: 'shop', access: 'write' } },
        { apps: [{ app: 'shop', access: 'write' }] },
        { dyno: { id: 'dyno-1', link: expect.objectContaining({ kind: 'ssh' }) } },
        undefined,
        { error: 'the signature does not match' },
      ]);
    }),
  );

  testInPython('checks signatures in Python', () => {
    const now = Date.now();
    const signed = { method: 'POST', path: '/v1/find-user', body: '{"key":"é"}' };
    const cases = [
      { ...signed, headers: authHeaders(HMAC, signed, now) },
      { ...signed, headers: authHeaders(HMAC, { ...signed, body: '{}' }, now) },
      { ...signed, headers: authHeaders(HMAC, { ...signed, path: '/' }, now) },
      { ...signed, headers: authHeaders(HMAC, signed, now - 400_000) },
    ];
    const program = `${codeOf('python', 'import hashlib')}
import json, sys
for case in json.load(sys.stdin):
    print(is_from_gitmouth(${JSON.stringify(SECRET)}.encode(), case["method"], case["path"], case["headers"], case["body"].encode()))
`;
    const { stdout, stderr } = spawnSync('python3', ['-c', program], {
      input: JSON.stringify(cases),
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual(['True', 'False', 'False', 'False']);
  });
});
