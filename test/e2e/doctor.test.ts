/** `gitmouth doctor` on machines that lack something: it names it, says what to do, and exits with 1. */
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Account } from '../support/account.js';
import { execute, PROGRAM, type Result } from '../support/door.js';
import { isRoot } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { Served } from '../support/served.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh-keygen', 'bwrap', 'setpriv');

/** `ok`, `warning` or `PROBLEM`, by what was checked. */
function findings({ stdout }: Result): Record<string, string> {
  const lines = [...stdout.matchAll(/^(ok {5}|warning|PROBLEM) ([^:]+): (.+)$/gm)];
  return Object.fromEntries(lines.map(([, state = '', check = '', says = '']) => [check, `${state.trim()}: ${says}`]));
}

async function examine(
  env: Record<string, string>,
  ...args: string[]
): Promise<Result & { says: Record<string, string> }> {
  const home = temporaryFolder('home');
  const defaults = { HOME: home, GITMOUTH_DATA: join(home, 'data'), GITMOUTH_LISTEN: '127.0.0.1:0' };
  const result = await execute(process.execPath, [PROGRAM, 'doctor', ...args], { env: { ...defaults, ...env } });
  expect(`${result.stdout}${result.stderr}`).not.toMatch(/^ +at |node:internal/m);
  return { ...result, says: findings(result) };
}

/** On a machine where these programs are none. */
async function examineWithout(
  hidden: readonly string[],
  sandbox: string,
): Promise<Result & { says: Record<string, string> }> {
  const account = new Account('ada', 12_345, { hidden });
  const [command, ...args] = account.gitmouth('doctor', '--listen', '127.0.0.1:0');
  const result = await execute(command, args, { env: { HOME: account.home, GITMOUTH_SANDBOX: sandbox } });
  return { ...result, says: findings(result) };
}

describe('the doctor', () => {
  test('finds a machine sound, before and after the first start, and makes nothing', async () => {
    const account = new Account('ada', isRoot ? 0 : 12_345);
    await account.key('id_ed25519');
    const doctor = async (): Promise<Result> => {
      const [command, ...args] = account.gitmouth('doctor', '--listen', '127.0.0.1:0');
      return execute(command, args, { env: { HOME: account.home } });
    };
    const before = await doctor();
    expect(findings(before)).toMatchObject({
      'data folder': expect.stringMatching(/^ok: .*data is not there yet; the first start makes it$/),
      'host keys': 'ok: none yet; the first start makes them',
      sandbox: 'ok: bubblewrap works, with git in it',
    });
    expect({ code: before.code, stderr: before.stderr }).toEqual({ code: 0, stderr: '' });
    expect((await account.run(['ls'])).stdout).toBe('');

    const served = await Served.start(account.gitmouth('serve', '--listen', '127.0.0.1:0'), { HOME: account.home });
    try {
      const after = await doctor();
      expect(findings(after)).toMatchObject({
        'host keys': expect.stringMatching(/^ok: ssh-ed25519 SHA256:\S+, ssh-rsa SHA256:\S+$/),
        database: 'ok: 1 user(s), 0 app(s)',
      });
      expect(after.code).toBe(0);
    } finally {
      await served.stop();
    }
  });

  test('tells as JSON what it tells in lines', async () => {
    const { code, stdout } = await examine({}, '--json');
    expect(code).toBe(0);
    const checks = (JSON.parse(stdout) as { check: string; state: string }[]).map(({ check, state }) => [check, state]);
    expect(Object.fromEntries(checks)).toMatchObject({ node: 'ok', ssh2: 'ok', sandbox: 'ok', port: 'ok' });
  });

  test('names a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const address = other.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const taken = `127.0.0.1:${port}`;
      const { code, says } = await examine({ GITMOUTH_LISTEN: taken, GITMOUTH_HEALTH_LISTEN: taken });
      expect(says['port']).toMatch(
        /^PROBLEM: 127\.0\.0\.1:\d+ is in use: is gitmouth running\? Else set GITMOUTH_LISTEN/,
      );
      expect(says['health']).toMatch(/^PROBLEM: .* set GITMOUTH_HEALTH_LISTEN to another port/);
      expect(code).toBe(1);
    } finally {
      other.close();
      await once(other, 'close');
    }
  });

  test('names an address that is not of this machine', async () => {
    // Of the documentation range (RFC 5737): nobody has it.
    const { code, says } = await examine({ GITMOUTH_LISTEN: '192.0.2.1:2222' });
    expect(says['port']).toMatch(/^PROBLEM: 192\.0\.2\.1 is no address of this machine: set GITMOUTH_LISTEN/);
    expect(code).toBe(1);
  });

  test('names a host key that others may read, and the command that helps', async () => {
    const data = temporaryFolder('data');
    const key = join(data, 'host-keys/ssh_host_ed25519_key');
    mkdirSync(join(data, 'host-keys'), { mode: 0o700 });
    await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    chmodSync(key, 0o640);
    const { code, says } = await examine({ GITMOUTH_DATA: data });
    expect(says['host keys']).toBe(`PROBLEM: others may read the host key ${key} (mode 640): run chmod 600 ${key}`);
    expect(code).toBe(1);
    chmodSync(key, 0o600);
    expect((await examine({ GITMOUTH_DATA: data })).says['host keys']).toMatch(/^ok: ssh-ed25519 SHA256:/);
  });

  test('names a host key that is none', async () => {
    const data = temporaryFolder('data');
    mkdirSync(join(data, 'host-keys'), { mode: 0o700 });
    writeFileSync(join(data, 'host-keys/ssh_host_rsa_key'), 'spoilt\n', { mode: 0o600 });
    const { code, says } = await examine({ GITMOUTH_DATA: data });
    expect(says['host keys']).toMatch(/^PROBLEM: .*ssh_host_rsa_key holds no private key.*put it back from a backup/);
    expect(code).toBe(1);
  });

  test('names a data folder that its user can not write or make', async () => {
    const account = new Account('ada', 12_345);
    const folder = temporaryFolder('closed');
    if (isRoot) chownSync(folder, 0, 0);
    chmodSync(folder, 0o555);
    const doctor = async (data: string): Promise<Result> => {
      const [command, ...args] = account.gitmouth('doctor', '--listen', '127.0.0.1:0', '--data', data);
      return execute(command, args, { env: { HOME: account.home } });
    };
    const there = await doctor(folder);
    expect(findings(there)['data folder']).toBe(
      `PROBLEM: ${folder} can't be written by this user: run as its owner, or change who owns it`,
    );
    const [command, ...args] = account.gitmouth('serve', '--listen', '127.0.0.1:0', '--data', folder);
    const started = await execute(command, args, { env: { HOME: account.home } });
    expect(started).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`the data folder ${folder} can't be made`),
    });
    const missing = await doctor(join(folder, 'data'));
    expect(findings(missing)['data folder']).toMatch(
      /^PROBLEM: .*data can't be made by this user: make it and give it/,
    );
    expect([there.code, missing.code]).toEqual([1, 1]);
    chmodSync(folder, 0o755);
  });

  test('names a data folder that every dyno could read', async () => {
    const { code, says } = await examine({ GITMOUTH_SANDBOX: 'bubblewrap', GITMOUTH_DATA: '/usr/share' });
    expect(says['sandbox']).toMatch(/^PROBLEM: .*the data folder lies in \/usr, which every dyno can read \(move/);
    expect(code).toBe(1);
  });

  test('names a missing git', async () => {
    const { code, says } = await examineWithout(['/usr/bin/git'], 'bubblewrap');
    expect(says['sandbox']).toMatch(/^PROBLEM: .*git is not installed \(install git\)/);
    expect(code).toBe(1);
  });

  test('names a missing bubblewrap, and that nothing isolates dynos then', async () => {
    const must = await examineWithout(['/usr/bin/bwrap'], 'bubblewrap');
    expect(must.says['sandbox']).toMatch(
      /^PROBLEM: dynos can not be isolated: .*bwrap.*not installed \(install bubblewrap.*set GITMOUTH_SANDBOX=none if/,
    );
    expect(must.code).toBe(1);
    const may = await examineWithout(['/usr/bin/bwrap'], 'auto');
    expect(may.says['sandbox']).toMatch(/^warning: DYNOS ARE NOT ISOLATED: .*install bubblewrap/);
    expect(may.code).toBe(0);
  });

  test('names what keeps bubblewrap from working', async () => {
    const account = new Account('ada', isRoot ? 0 : 12_345, {
      replaced: { '/usr/bin/bwrap': '#!/bin/sh\necho "bwrap: setting up uid map: Permission denied" >&2\nexit 1\n' },
    });
    const [command, ...args] = account.gitmouth('doctor', '--listen', '127.0.0.1:0');
    const result = await execute(command, args, { env: { HOME: account.home, GITMOUTH_SANDBOX: 'bubblewrap' } });
    expect(findings(result)['sandbox']).toMatch(
      /^PROBLEM: .*setting up uid map: Permission denied \(allow unprivileged user namespaces: sysctl/,
    );
    expect(result.code).toBe(1);
  });
});

describe('the doctor of certificates', () => {
  test('names the authorities and counts what is revoked; nobody needs a key then', async () => {
    const home = temporaryFolder('home');
    const [authorities, revoked] = [join(home, 'ca.pub'), join(home, 'revoked')];
    writeFileSync(authorities, 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID0k25/ilaBLpGmp79/6b09sjZw4SflkkNhCT983G6fv\n');
    writeFileSync(revoked, `serial: 1-9\nsha256: SHA256:${'A'.repeat(43)}\n`);
    const env = { HOME: home, GITMOUTH_DATA: join(home, 'data'), GITMOUTH_USER_CA: authorities };
    await execute(process.execPath, [PROGRAM, 'user', 'add', 'ada'], { env });
    const { says } = await examine({ ...env, GITMOUTH_REVOKED: revoked });
    expect(says['certificates']).toBe(
      'ok: of SHA256:s5jS5b2IF6qHIuUP9q74zszCzK5Yi/41c/eW1uYrvV0, by principal; 2 revocation(s), of 1 key(s) among them',
    );
    expect(says['database']).toBe('ok: 1 user(s), 0 app(s)');
    const { GITMOUTH_USER_CA: _authorities, ...alone } = env;
    expect((await examine(alone)).says['database']).toContain('PROBLEM: nobody can log in: add a user with a key');
    writeFileSync(revoked, 'nonsense\n');
    const bad = await examine({ ...env, GITMOUTH_REVOKED: revoked });
    expect(bad.code).not.toBe(0);
    expect(bad.stderr).toContain(`GITMOUTH_REVOKED: ${revoked}, line 1: this is not a public key`);
  });
});
