/** What a newcomer meets: the first start, its printed lines copied as they stand, and the second start. */
import { createServer } from 'node:net';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { Account } from '../support/account.js';
import { execute, PROGRAM, until } from '../support/door.js';
import { isRoot } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { Running } from '../support/running.js';
import { Served } from '../support/served.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'setpriv');
const withAgent = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'setpriv', 'ssh-agent');

/** As the server itself is started in the README: by whoever is at the machine. */
const OPERATOR = isRoot ? 0 : 12_345;

const servers: Served[] = [];

async function serve(
  account: Account,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Served> {
  const command = account.gitmouth('serve', ...(args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']), ...args);
  const served = await Served.start(command, { HOME: account.home, PATH: process.env['PATH'] ?? '', ...env });
  servers.push(served);
  return served;
}

function gitmouth(args: readonly string[], env: Record<string, string> = {}) {
  return execute(process.execPath, [PROGRAM, ...args], { env: { HOME: temporaryFolder('home'), ...env } });
}

async function fingerprintOf(file: string): Promise<string> {
  const { stdout } = await execute('ssh-keygen', ['-l', '-f', file]);
  return /SHA256:\S+/.exec(stdout)?.[0] ?? 'no fingerprint';
}

afterEach(async () => {
  for (const served of servers.splice(0)) await served.stop();
});

describe('a first start', () => {
  test('makes the data folder with host keys that nobody else can read', async () => {
    const account = new Account('ada', OPERATOR);
    await serve(account);
    const keys = join(account.home, 'data/host-keys');
    expect(statSync(keys).mode & 0o777).toBe(0o700);
    expect(readdirSync(keys).sort()).toEqual(['ssh_host_ed25519_key', 'ssh_host_rsa_key']);
    for (const file of readdirSync(keys)) expect(statSync(join(keys, file)).mode & 0o777).toBe(0o600);
    expect(statSync(join(account.home, 'data/gitmouth.db')).mode & 0o077).toBe(0);
    const { stdout } = await execute('ssh-keygen', ['-l', '-f', join(keys, 'ssh_host_rsa_key')]);
    expect(stdout).toMatch(/^3072 SHA256:.*\(RSA\)$/m);
    const ed25519 = await execute('ssh-keygen', ['-l', '-f', join(keys, 'ssh_host_ed25519_key')]);
    expect(ed25519.stdout).toMatch(/^256 SHA256:.*\(ED25519\)$/m);
  });

  test('takes the keys whose private half lies beside them, lists them, and its git push line works', async () => {
    const account = new Account('ada.l', OPERATOR);
    const [own, rsa, lone] = [
      await account.key('id_ed25519'),
      await account.key('id_rsa', 'rsa'),
      await account.key('id_gone'),
    ];
    const other = await account.key('other_ed25519');
    const removed = await account.run(['rm', lone.slice(0, -'.pub'.length)]);
    expect(removed.code).toBe(0);
    const served = await serve(account);
    expect(served.said).toContain(`made the user ada.l, with\n`);
    for (const file of [own, rsa]) expect(served.said).toContain(`${await fingerprintOf(file)} (${file})`);
    for (const file of [lone, other]) expect(served.said).not.toContain(await fingerprintOf(file));

    const folder = await account.repository('project');
    const [push = ''] = served.commands;
    const pushed = await account.shell(push, folder);
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('[new branch]      HEAD -> main') });
    expect(served.log).toContain('"sandbox":"bubblewrap"');
    const again = await account.shell(push, folder);
    expect(again.stderr).toContain('Everything up-to-date');
  });

  test('tells the host key fingerprints that a client then shows', async () => {
    const account = new Account('ada', OPERATOR);
    const served = await serve(account);
    const keys = join(account.home, 'data/host-keys');
    const shown = await execute('ssh-keyscan', ['-p', String(served.port), '-t', 'ed25519,rsa', '127.0.0.1']);
    const scanned = join(temporaryFolder('scan'), 'keys');
    writeFileSync(scanned, shown.stdout);
    const listed = await execute('ssh-keygen', ['-l', '-f', scanned]);
    for (const file of ['ssh_host_ed25519_key', 'ssh_host_rsa_key']) {
      const fingerprint = await fingerprintOf(join(keys, file));
      expect(served.said).toContain(fingerprint);
      expect(listed.stdout).toContain(fingerprint);
    }
  });

  withAgent.test('takes the keys of the ssh agent too, and one of them alone can push', async () => {
    const account = new Account('agatha', OPERATOR);
    const file = await account.key('key-of-the-agent');
    const privateFile = file.slice(0, -'.pub'.length);
    const socket = join(account.home, 'agent');
    const [command, ...args] = account.command('ssh-agent', '-D', '-a', socket);
    const agent = new Running(command, args);
    try {
      await until(
        () => existsSync(socket),
        10_000,
        () => `no agent: ${agent.stderr}`,
      );
      const env = { SSH_AUTH_SOCK: socket };
      expect((await account.run(['ssh-add', privateFile], env)).code).toBe(0);
      expect((await account.run(['rm', privateFile])).code).toBe(0);
      const served = await serve(account, [], env);
      expect(served.said).toContain(`${await fingerprintOf(file)} (ssh agent)`);
      const folder = await account.repository('project');
      const pushed = await account.shell(served.commands[0] ?? '', folder, env);
      expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('HEAD -> main') });
    } finally {
      await agent.kill();
    }
  });

  test('without any key names the one command that adds one, which works while the server runs', async () => {
    const account = new Account('newcomer', OPERATOR);
    const served = await serve(account, ['--data', 'some where']);
    expect(served.said).toContain('There is no user yet');
    const [add = '', push = ''] = served.commands;
    expect(add).toMatch(/^npx gitmouth user add newcomer --key ~\/\.ssh\/id_ed25519\.pub --data '.*some where'$/);
    const folder = await account.repository('project');
    expect((await account.shell(push, folder)).stderr).toContain('Permission denied (publickey)');

    await account.key('id_ed25519');
    // npx finds the command in a checkout; the rest of the line is copied as it stands.
    const program = account.gitmouth().slice(account.command().length).join(' ');
    const added = await account.shell(add.replace(/^npx gitmouth/, program));
    expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining('Added the user newcomer.') });
    expect(await account.shell(push, folder)).toMatchObject({ code: 0 });
  });
});

describe('a second start', () => {
  test('keeps host keys, users and apps, and makes no user of keys that came later', async () => {
    const account = new Account('ada', OPERATOR);
    await account.key('id_ed25519');
    const first = await serve(account);
    const folder = await account.repository('project');
    expect((await account.shell(first.commands[0] ?? '', folder)).code).toBe(0);
    await first.stop();
    await account.key('id_ecdsa', 'ecdsa');

    const second = await serve(account);
    const fingerprints = (said: string) => said.match(/^ {2}ssh-\S+ +SHA256:\S+$/gm);
    expect(fingerprints(second.said)).toHaveLength(2);
    expect(fingerprints(second.said)).toEqual(fingerprints(first.said)?.slice(-2));
    expect(second.said).not.toContain('First start');
    const program = account.gitmouth().slice(account.command().length);
    const users = await account.run([...program, 'user', 'list', '--json']);
    expect(JSON.parse(users.stdout)).toEqual([expect.objectContaining({ name: 'ada', keys: 1, apps: 1 })]);
    const listed = await account.shell(`git ls-remote ssh://git@127.0.0.1:${second.port}/hello.git`);
    expect(listed.stdout).toContain('refs/heads/main');
  });
});

describe('the data folder and the address', () => {
  test('are taken from the command line before the environment', async () => {
    const account = new Account('ada', OPERATOR);
    const args = ['--data', './by-option', '--listen', '127.0.0.1:0'];
    await serve(account, args, { GITMOUTH_DATA: './by-environment', GITMOUTH_LISTEN: '127.0.0.1:1' });
    expect(readdirSync(account.home)).toContain('by-option');
    expect(readdirSync(account.home)).not.toContain('by-environment');
    expect(readdirSync(account.home)).not.toContain('data');
  });

  test('are taken from the environment', async () => {
    const account = new Account('ada', OPERATOR);
    const command = account.gitmouth('serve');
    const env = { HOME: account.home, GITMOUTH_DATA: './by-environment', GITMOUTH_LISTEN: '[::1]:0' };
    servers.push(await Served.start(command, env));
    expect(readdirSync(account.home)).toContain('by-environment');
    expect(servers[0]?.said).toMatch(/^gitmouth listens on \[::1\]:\d+/m);
  });
});

describe('a start that makes no sense', () => {
  test('with a wrong configuration tells every problem in one message and makes nothing', async () => {
    const data = join(temporaryFolder('wrong'), 'data');
    const { code, stdout, stderr } = await gitmouth(['serve', '--data', data, '--listen', 'localhost'], {
      GITMOUTH_SANDBOX: 'maybe',
      GITMOUTH_DRAIN_SECONDS: '-1',
      GITMOUTH_DYNO_USER: '0',
      GITMOUTH_LOGIN: 'git',
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^gitmouth: The configuration has 5 problems:$/m);
    for (const name of ['LISTEN', 'SANDBOX', 'DRAIN_SECONDS', 'DYNO_USER', 'LOGIN']) {
      expect(stderr).toMatch(new RegExp(`^ {2}- GITMOUTH_${name} .+`, 'm'));
    }
    expect(existsSync(data)).toBe(false);
  });

  test('with a folder of hooks that is not there says so', async () => {
    const data = join(temporaryFolder('wrong'), 'data');
    const hooks = join(temporaryFolder('wrong'), 'no-such-hooks');
    const args = ['serve', '--data', data, '--listen', '127.0.0.1:0'];
    const { code, stderr } = await gitmouth(args, { GITMOUTH_HOOKS: hooks });
    expect(code).toBe(1);
    expect(stderr).toContain(hooks);
    expect(stderr).toContain('GITMOUTH_HOOKS');
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('on a port that is taken says so in a sentence', async () => {
    const data = join(temporaryFolder('taken'), 'data');
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const address = other.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const { code, stderr } = await gitmouth(['serve', '--data', data, '--listen', `127.0.0.1:${port}`]);
      expect(code).toBe(1);
      expect(stderr).toContain(`gitmouth: 127.0.0.1:${port} is in use: is gitmouth running? Else set GITMOUTH_LISTEN`);
      expect(stderr).not.toMatch(/^ +at /m);
    } finally {
      other.close();
      await once(other, 'close');
    }
  });

  test('in a folder that takes no other says so at once: Node asks /proc for ever', async () => {
    const { code, stderr } = await gitmouth(['serve', '--data', '/proc/nope', '--listen', '127.0.0.1:0']);
    expect({ code, stderr }).toMatchObject({ code: 1 });
    expect(stderr).toMatch(/^gitmouth: the data folder \/proc\/nope can't be made or written by this user \(ENOENT\)/);
  });

  test('in a data folder that is a file says so in a sentence', async () => {
    const file = join(temporaryFolder('wrong'), 'file');
    writeFileSync(file, '');
    const { code, stderr } = await gitmouth(['serve', '--data', file, '--listen', '127.0.0.1:0']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^gitmouth: the data folder .*file can't be made or written by this user/);
  });
});
