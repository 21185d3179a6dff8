/** The built program in plain Node: what Jest forgives (CommonJS names, missing files in dist) shows here. */
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { execute, until } from '../support/door.js';
import { temporaryFolder } from '../support/temporary.js';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'dist/app/main.js');

function gitmouth(args: readonly string[], env: Record<string, string> = {}) {
  return execute(process.execPath, [PROGRAM, ...args], { env: { HOME: temporaryFolder('home'), ...env } });
}

describe('the built program', () => {
  test('tells how it is used', async () => {
    const { code, stdout, stderr } = await gitmouth(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of ['serve', 'user', 'key', 'app', 'hostkey', 'doctor']) {
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
  });

  test('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(await gitmouth(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('refuses a command it does not have', async () => {
    const { code, stdout, stderr } = await gitmouth(['swerve']);
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
    expect(stderr).toContain("unknown command 'swerve'");
  });

  test('names all problems of its configuration at once, and does not start', async () => {
    const data = join(temporaryFolder(), 'data');
    const { code, stderr } = await gitmouth(['serve', '--data', data, '--listen', 'nowhere'], {
      GITMOUTH_SANDBOX: 'perhaps',
      GITMOUTH_LISTNE: '127.0.0.1:22',
    });
    expect(code).toBe(1);
    for (const problem of ['GITMOUTH_LISTEN', 'GITMOUTH_SANDBOX', 'GITMOUTH_LISTNE']) expect(stderr).toContain(problem);
  });

  test('can be imported, as a program that embeds it does', async () => {
    const source = `
      import { createGateway, readConfig, tokens } from '${join(ROOT, exportedFile())}';
      console.log(typeof createGateway, readConfig().listen[0].port, typeof tokens.clock);`;
    const { code, stdout, stderr } = await execute(process.execPath, ['--input-type=module', '--eval', source]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'function 2222 symbol\n', stderr: '' });
  });
});

describe('a served door', () => {
  let server: ChildProcess | undefined;

  afterEach(() => {
    if (server?.exitCode === null && server.signalCode === null) server.kill('SIGKILL');
    server = undefined;
  });

  test('says where it listens, speaks SSH there, and ends with 0 on SIGTERM', async () => {
    const data = join(temporaryFolder('smoke'), 'data');
    server = spawn(process.execPath, [PROGRAM, 'serve', '--listen', '127.0.0.1:0', '--data', data], {
      env: { PATH: process.env['PATH'], HOME: temporaryFolder('home') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const port = await listening(server);
    expect(await greetingOf(port)).toMatch(/^SSH-2\.0-/);
    server.kill('SIGTERM');
    expect(await endOf(server)).toBe(0);
    await expect(greetingOf(port)).rejects.toThrow('ECONNREFUSED');
  });

  test('starts by the line of the Procfile, with the documented .env', async () => {
    const folder = temporaryFolder('foreman');
    symlinkSync(join(ROOT, 'dist'), join(folder, 'dist'));
    copyFileSync(join(ROOT, '.env.example'), join(folder, '.env'));
    writeFileSync(join(folder, '.env'), 'GITMOUTH_LISTEN=127.0.0.1:0\nGITMOUTH_DATA=./elsewhere\n', { flag: 'a' });
    const [, command = ''] = /^ssh: (.+)$/m.exec(readFileSync(join(ROOT, 'Procfile'), 'utf8')) ?? [];
    server = spawn('sh', ['-c', `exec ${command}`], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: temporaryFolder('home') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    expect(await greetingOf(await listening(server))).toMatch(/^SSH-2\.0-/);
    expect(readFileSync(join(folder, 'elsewhere/gitmouth.db')).length).toBeGreaterThan(0);
    server.kill('SIGTERM');
    expect(await endOf(server)).toBe(0);
  });
});

/** What package.json gives to those who import gitmouth. */
function exportedFile(): string {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: { '.': { default: string } };
  };
  return exports['.'].default;
}

/** The port it says it listens on. */
async function listening(server: ChildProcess): Promise<number> {
  let said = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const listens = /listens on 127\.0\.0\.1:(\d+)/;
  await until(
    () => listens.test(said) || server.exitCode !== null,
    20_000,
    () => `it did not start:\n${said}`,
  );
  const [, port] = listens.exec(said) ?? [];
  if (port === undefined) throw new Error(`it ended at once:\n${said}`);
  return Number(port);
}

/** The server's identification line (RFC 4253 4.2). */
async function greetingOf(port: number): Promise<string> {
  let socket: Socket | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      socket = connect(port, '127.0.0.1');
      socket.setEncoding('utf8').once('data', resolve).once('error', reject);
    });
  } finally {
    socket?.destroy();
  }
}

async function endOf(server: ChildProcess): Promise<number | NodeJS.Signals | null> {
  await until(
    () => server.exitCode !== null || server.signalCode !== null,
    20_000,
    () => 'it did not end',
  );
  return server.exitCode ?? server.signalCode;
}
