/** `gitmouth doctor` in front of a platform elsewhere: whether it answers, and what it can't do. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { execute, PROGRAM } from '../support/door.js';
import { ApiServer, SERVICE_KEY } from '../support/openruko/api-server.js';
import { Authority } from '../support/openruko/certificates.js';
import { PlatformServer, TOKEN } from '../support/platform/platform-server.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('openssl');

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly says: string;
}

const OF_PLATFORMS = ['platform', 'authorities', 'dyno hosts', 'dyno key'];

async function doctor(authority: Authority, more: Record<string, string>, home = temporaryFolder('home')) {
  const ca = join(home, 'ca.pem');
  writeFileSync(ca, authority.certificate);
  const env = {
    HOME: home,
    GITMOUTH_DATA: join(home, 'data'),
    GITMOUTH_LISTEN: '127.0.0.1:0',
    GITMOUTH_API_CA: ca,
    ...more,
  };
  const { code, stdout } = await execute(process.execPath, [PROGRAM, 'doctor', '--json'], { env });
  const findings = JSON.parse(stdout) as readonly Finding[];
  return { env, code, stdout, platform: findings.filter(({ check }) => OF_PLATFORMS.includes(check)) };
}

function examine(server: ApiServer, authority: Authority, more: Record<string, string> = {}) {
  const openruko = { GITMOUTH_PLATFORM: 'openruko', APISERVER_KEY: SERVICE_KEY, APISERVER_PORT: String(server.port) };
  return doctor(authority, { ...openruko, ...more });
}

async function withServer(use: (server: ApiServer, authority: Authority) => Promise<void>): Promise<void> {
  const authority = new Authority();
  const server = await ApiServer.start({ identity: authority.issue() });
  try {
    await use(server, authority);
  } finally {
    await server.stop();
  }
}

describe('the doctor of GITMOUTH_PLATFORM=openruko', () => {
  test('finds it answering, names what its dyno hosts can not do, and looks for nothing of the embedded platform', () =>
    withServer(async (server, authority) => {
      const { code, stdout, platform } = await examine(server, authority);
      expect(platform).toEqual([
        { check: 'platform', state: 'ok', says: `https://localhost:${server.port} answers` },
        { check: 'dyno hosts', state: 'warning', says: expect.stringMatching(/no signal.*no exit status.*protocol 0/) },
      ]);
      expect(stdout).not.toMatch(/sandbox|database/);
      expect(server.calls.map(({ route }) => route)).toEqual(['lookup']);
      expect(code).toBe(0);
    }));

  test('has a problem with a key that it does not take, with a foreign certificate, and with silence', () =>
    withServer(async (server, authority) => {
      const wrongKey = await examine(server, authority, { APISERVER_KEY: 'not-the-key' });
      expect(wrongKey.platform[0]?.says).toMatch(/ can't be used: .*does not accept APISERVER_KEY \(status 401\)/);
      const foreign = await examine(server, new Authority());
      expect(foreign.platform[0]?.says).toMatch(/ can't be used: .*certificate can't be trusted/);
      const freed = createServer().listen(0, '127.0.0.1');
      await once(freed, 'listening');
      const { port } = freed.address() as AddressInfo;
      await new Promise((resolve) => freed.close(resolve));
      const gone = await examine(server, authority, { APISERVER_PORT: String(port) });
      expect(gone.platform[0]?.says).toMatch(/ can't be used: .*could not be reached/);
      expect([wrongKey, foreign, gone].map(({ code }) => code)).toEqual([1, 1, 1]);
      expect(wrongKey.stdout).not.toContain('not-the-key');
    }));

  test('is loud about what is not verified', () =>
    withServer(async (server, authority) => {
      const { platform } = await examine(server, authority, { GITMOUTH_API_CA: '', GITMOUTH_API_VERIFY: 'off' });
      expect(platform.map(({ state }) => state)).toEqual(['warning', 'ok', 'warning']);
      expect(platform[0]?.says).toMatch(/^THE API IS NOT VERIFIED/);
    }));
});

describe('the doctor of GITMOUTH_PLATFORM=http', () => {
  test('asks the API who holds a key that nobody has, and shows the key for its dynos once there is one', async () => {
    const authority = new Authority();
    const api = await PlatformServer.start({
      identity: authority.issue(),
      credential: { kind: 'bearer', token: TOKEN },
    });
    const home = temporaryFolder('home');
    const settings = { GITMOUTH_PLATFORM: 'http', GITMOUTH_API_URL: api.url, GITMOUTH_API_TOKEN: TOKEN };
    try {
      const before = await doctor(authority, settings, home);
      expect(before.platform).toEqual([
        { check: 'platform', state: 'ok', says: `${api.url} answers` },
        { check: 'dyno key', state: 'ok', says: expect.stringContaining('none yet') },
      ]);
      expect(api.calls.map(({ operation }) => operation)).toEqual(['findUser']);
      expect(api.violations).toEqual([]);
      const shown = await execute(process.execPath, [PROGRAM, 'dynokey', 'show'], { env: before.env });
      expect(shown.stdout).toMatch(/^ssh-ed25519 \S+ gitmouth\n$/);
      const after = await doctor(authority, settings, home);
      expect(after.platform[1]?.says).toContain(shown.stdout.trim());
      const trusting = { ...settings, GITMOUTH_USER_CA: 'platform' };
      const nobody = await doctor(authority, trusting, home);
      expect(nobody.platform[1]).toMatchObject({ state: 'warning', says: expect.stringContaining('names none') });
      api.people.authorities = ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID0k25/ilaBLpGmp79/6b09sjZw4SflkkNhCT983G6fv'];
      const somebody = await doctor(authority, trusting, home);
      const says = 'SHA256:s5jS5b2IF6qHIuUP9q74zszCzK5Yi/41c/eW1uYrvV0';
      expect(somebody.platform[1]).toEqual({ check: 'authorities', state: 'ok', says });
      const wrong = await doctor(authority, { ...settings, GITMOUTH_API_TOKEN: 'another-token' }, home);
      expect(wrong.platform[0]).toMatchObject({ state: 'problem', says: expect.stringContaining('401') });
      expect([before, after, wrong].map(({ code }) => code)).toEqual([0, 0, 1]);
      expect(wrong.stdout).not.toMatch(/another-token|token-0b1c/);
    } finally {
      await api.stop();
    }
  });
});
