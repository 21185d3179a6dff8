/** Whoever comes without git is greeted or refused, and gets nothing else. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { Door, execute, until, type Person, type SessionLine } from '../support/door.js';
import { needs } from '../support/programs.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');
const terminal = needs('git', 'ssh', 'ssh-keygen', 'script');

describe('the door', () => {
  let door: Door;
  let alice: Person;
  let fingerprint: string;
  /** What forwarding would lead to. */
  let inside: Server;
  let insidePort: number;
  let reached = 0;

  beforeAll(async () => {
    door = new Door();
    await door.start();
    alice = await door.person('alice');
    const { stdout } = await execute('ssh-keygen', ['-l', '-f', alice.publicKeyFile]);
    fingerprint = stdout.split(' ')[1] ?? '';
    inside = createServer((socket) => {
      reached += 1;
      socket.on('error', () => undefined).end('the inside\n');
    }).listen(0, '127.0.0.1');
    await once(inside, 'listening');
    insidePort = (inside.address() as AddressInfo).port;
  });

  afterAll(async () => {
    inside.close();
    await door.stop();
  });

  /** The session that ended after these many, once its line is there. */
  async function sessionAfter(count: number): Promise<SessionLine | undefined> {
    return (await door.sessions(count + 1))[count];
  }

  function expectGreeting(words: string): void {
    expect(words).toContain(`Hi alice! You have been recognised by the key ${fingerprint}.`);
    expect(words).toContain('This door speaks git and gives no shell.');
  }

  // With -t alone OpenSSH asks for no terminal here, where it has none itself.
  test.each([['-T'], ['-t']])('greets who asks for a shell, at once (ssh %s)', async (option) => {
    const before = door.events('session-ended').length;
    const { code, stdout, stderr } = await alice.ssh([], { before: [option] });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expectGreeting(stderr);
    const session = await sessionAfter(before);
    expect(session).toMatchObject({ verdict: 'greeted', exit: 1, user: 'alice', fingerprint });
    expect(session?.['durationMs']).toBeLessThan(1000);
  });

  terminal.test('greets who asks for a shell from a terminal, and gives no terminal', async () => {
    const before = door.events('session-ended').length;
    const ssh = ['ssh', ...alice.sshOptions, ...alice.target].join(' ');
    const env = { HOME: alice.home, TERM: 'xterm', SHELL: '/bin/sh' };
    const { code, stdout } = await execute('script', ['--quiet', '--return', '--command', ssh, '/dev/null'], { env });
    expect(stdout).toContain('PTY allocation request failed on channel 0');
    expectGreeting(stdout);
    expect(code).toBe(1);
    expect((await sessionAfter(before))?.['durationMs']).toBeLessThan(1000);
  });

  test('refuses a terminal to who insists on one', async () => {
    const { code, stdout, stderr } = await alice.ssh([], { before: ['-tt'] });
    // OpenSSH then gives up by itself (255), or goes on and is greeted.
    expect([1, 255]).toContain(code);
    expect(stdout).toBe('');
    expect(stderr).toContain('PTY allocation request failed on channel 0');
  });

  test.each([
    ['the subsystem sftp', ['-s', 'sftp'], 'subsystem request failed'],
    ['another subsystem', ['-s', 'netconf'], 'subsystem request failed'],
    ['remote forwarding', ['-N', '-R', '0:127.0.0.1:1', '-o', 'ExitOnForwardFailure=yes'], 'forwarding failed'],
  ])('refuses %s', async (_what, options, words) => {
    const command = options.includes('-s') ? options.slice(1) : [];
    const before = options.includes('-s') ? ['-s'] : options;
    const { code, stdout, stderr } = await alice.ssh(command, { before });
    expect({ code, stdout }).toEqual({ code: 255, stdout: '' });
    expect(stderr).toContain(words);
  });

  test('refuses files to scp and sftp, which end', async () => {
    const options = [...alice.sshOptions, '-P', String(door.port)];
    const env = { HOME: alice.home };
    expect((await execute('scp', [...options, alice.publicKeyFile, 'git@127.0.0.1:'], { env })).code).not.toBe(0);
    expect((await execute('sftp', [...options, 'git@127.0.0.1'], { env })).code).not.toBe(0);
  });

  test('refuses ssh -W to anywhere', async () => {
    const { code, stdout, stderr } = await alice.ssh([], { before: ['-W', `127.0.0.1:${insidePort}`] });
    expect({ code, stdout, reached }).toEqual({ code: 255, stdout: '', reached: 0 });
    expect(stderr).toContain('stdio forwarding failed');
  });

  test('leads nobody on who forwards a local port with ssh -L', async () => {
    const path = join(temporaryFolder('l'), 's');
    const ssh = new Running('ssh', [
      ...alice.sshOptions,
      '-N',
      '-L',
      `${path}:127.0.0.1:${insidePort}`,
      ...alice.target,
    ]);
    try {
      await until(
        () => existsSync(path),
        20_000,
        () => ssh.stderr,
      );
      expect(await heardFrom(connect(path))).toBe('');
      await ssh.line('open failed: administratively prohibited');
      expect(reached).toBe(0);
    } finally {
      await ssh.kill();
    }
  });

  test('leads nobody on who uses it as a proxy with ssh -D', async () => {
    const path = join(temporaryFolder('d'), 's');
    const ssh = new Running('ssh', [...alice.sshOptions, '-N', '-D', path, ...alice.target]);
    try {
      await until(
        () => existsSync(path),
        20_000,
        () => ssh.stderr,
      );
      const socket = connect(path);
      // SOCKS 4: connect to this port of 127.0.0.1.
      socket.write(Buffer.from([4, 1, insidePort >> 8, insidePort & 255, 127, 0, 0, 1, 0]));
      expect(await heardFrom(socket)).not.toContain('the inside');
      await ssh.line('open failed: administratively prohibited');
      expect(reached).toBe(0);
    } finally {
      await ssh.kill();
    }
  });

  test.each<[string, (client: ssh2.Client, done: (error?: Error | null) => void) => void, RegExp]>([
    ['a terminal', (client, done) => client.exec('id', { pty: true }, done), /pseudo-terminal/],
    ['its agent', (client, done) => client.exec('id', done), /agent forward/],
    ['X11', (client, done) => client.exec('id', { x11: true }, done), /X11/],
    ['a subsystem', (client, done) => client.subsys('sftp', done), /subsystem/],
    ['a port', (client, done) => client.forwardIn('127.0.0.1', 0, done), /Unable to bind/],
    ['a socket', (client, done) => client.openssh_forwardInStreamLocal('/tmp/s', done), /Unable to bind/],
    ['a way in', (client, done) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', 22, done), /open failure/],
    ['a way to a socket', (client, done) => client.openssh_forwardOutStreamLocal('/tmp/s', done), /open failure/],
  ])('refuses a client of any kind that asks for %s', async (what, ask, words) => {
    const client = new ssh2.Client();
    const ready = once(client, 'ready');
    const privateKey = readFileSync(alice.keyFile);
    const more = { agent: '/nonexistent', agentForward: what === 'its agent', strictVendor: false };
    client.connect({ host: '127.0.0.1', port: door.port, username: 'git', privateKey, ...more });
    try {
      await ready;
      const error = await new Promise<Error | null | undefined>((resolve) => {
        ask(client, resolve);
      });
      expect(error?.message).toMatch(words);
    } finally {
      client.end();
    }
  });
});

/** Everything that comes before the other side closes. */
async function heardFrom(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (more: string) => (text += more));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return text;
}
