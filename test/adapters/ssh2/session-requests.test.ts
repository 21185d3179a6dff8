/** What a client may ask of a session channel, and that everything else is refused without ending anything. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { makePair, openGround, type Ground } from './ground.js';
import { generateKey, openssh } from './openssh.js';
import { RawClient } from './raw-client.js';
import {
  boolean,
  channelRequest,
  MESSAGE,
  message,
  openSession,
  Reader,
  string,
  uint32,
} from '../../support/ssh-bytes.js';

const alice = makePair();
const { CHANNEL_SUCCESS, CHANNEL_FAILURE, CHANNEL_CLOSE } = MESSAGE;

let ground: Ground;
let client: RawClient;

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('alice', alice.publicKey);
  client = await RawClient.logIn(ground.port, alice);
});

afterEach(async () => {
  await client.close();
  await ground.close();
});

/** Whether a request on the channel was granted. */
async function isGranted(theirs: number, type: string, ...data: Buffer[]): Promise<boolean> {
  client.send(channelRequest(theirs, type, true, ...data));
  return (await client.next(CHANNEL_SUCCESS, CHANNEL_FAILURE))[0] === CHANNEL_SUCCESS;
}

/** Runs a command on the channel to its end: whatever was refused before, the session goes on. */
async function expectUsable(theirs: number): Promise<void> {
  expect(await isGranted(theirs, 'exec', string('run'))).toBe(true);
  await client.next(CHANNEL_CLOSE);
}

describe('a command', () => {
  test('reaches the gateway as it was sent', async () => {
    const theirs = await client.open();
    expect(await isGranted(theirs, 'exec', string("git-upload-pack 'café.git'"))).toBe(true);
    expect(ground.gateway.requests[0]?.ask).toEqual({ kind: 'command', command: "git-upload-pack 'café.git'" });
  });

  test('is served too when no reply is wanted, and none is sent', async () => {
    const theirs = await client.open();
    client.send(channelRequest(theirs, 'exec', false, string('run')));
    await client.next(CHANNEL_CLOSE);
    expect(client.types()).not.toContain(CHANNEL_SUCCESS);
  });

  test('is none when a shell is asked for', async () => {
    const theirs = await client.open();
    expect(await isGranted(theirs, 'shell')).toBe(true);
    expect(ground.gateway.requests[0]?.ask).toEqual({ kind: 'shell' });
  });

  test.each(['exec', 'shell'])(
    'after another on the same channel (%s) is refused, and the first goes on',
    async (type) => {
      ground.gateway.command = () => Promise.resolve();
      const theirs = await client.open();
      expect(await isGranted(theirs, 'exec', string('first'))).toBe(true);
      expect(await isGranted(theirs, type, string('second'))).toBe(false);
      client.send(channelRequest(theirs, type, false, string('third')));
      const [first, ...others] = ground.gateway.requests;
      await first?.channel.finish({ words: 'done', exit: { code: 0 } });
      await client.next(CHANNEL_CLOSE);
      expect(others).toEqual([]);
      expect(client.isClosed).toBe(false);
    },
  );

  test.each([
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bug'))],
  ])('whose serving %s is the operator’s problem and nobody else’s', async (_how, fail) => {
    ground.gateway.command = fail;
    const theirs = await client.open();
    client.send(channelRequest(theirs, 'exec', true, string('run')));
    await until(() => ground.observer.ofType('problem').length > 0, 'the problem is told');
    expect(ground.observer.ofType('problem')).toMatchObject([{ error: { message: 'a bug' } }]);
  });

  test('on each of ten channels at once is served', async () => {
    ground.gateway.command = () => Promise.resolve();
    const numbers = Array.from({ length: 10 }, (_, index) => index);
    for (const mine of numbers) {
      const theirs = await client.open(mine);
      client.send(channelRequest(theirs, 'exec', true, string(`run ${mine}`)));
    }
    await until(() => ground.gateway.requests.length === 10, 'all requests arrive');
    for (const { channel } of ground.gateway.requests) await channel.finish({ words: '', exit: { code: 0 } });
    const closed = new Set<number>();
    while (closed.size < 10) closed.add(new Reader(await client.next(CHANNEL_CLOSE)).uint32());
    expect([...closed].sort()).toEqual(numbers);
  });
});

describe('the environment', () => {
  const env = (name: string, value: string) => [string(name), string(value)] as const;

  test.each(['version=0', 'version=1', 'version=2'])('takes GIT_PROTOCOL=%s and passes it on', async (value) => {
    const theirs = await client.open();
    expect(await isGranted(theirs, 'env', ...env('GIT_PROTOCOL', value))).toBe(true);
    await expectUsable(theirs);
    expect(ground.gateway.requests[0]?.ask).toEqual({ kind: 'command', command: 'run', gitProtocol: value });
  });

  test('takes it without a reply where none is wanted', async () => {
    const theirs = await client.open();
    client.send(channelRequest(theirs, 'env', false, ...env('GIT_PROTOCOL', 'version=2')));
    client.send(channelRequest(theirs, 'env', false, ...env('LD_PRELOAD', '/tmp/x.so')));
    await expectUsable(theirs);
    expect(ground.gateway.requests[0]?.ask).toMatchObject({ gitProtocol: 'version=2' });
  });

  test.each([
    ['GIT_PROTOCOL', 'version=2; rm -rf /'],
    ['GIT_PROTOCOL', 'version=3'],
    ['GIT_PROTOCOL', ''],
    ['GIT_PROTOCOL', 'version=2\n'],
    ['git_protocol', 'version=2'],
    ['LD_PRELOAD', '/tmp/x.so'],
    ['GIT_DIR', '/'],
    ['PATH', '/tmp'],
  ])('refuses %s=%j and the session goes on without it', async (name, value) => {
    const theirs = await client.open();
    expect(await isGranted(theirs, 'env', ...env(name, value))).toBe(false);
    await expectUsable(theirs);
    expect(ground.gateway.requests[0]?.ask).toEqual({ kind: 'command', command: 'run' });
  });

  test('is closed after sixteen requests', async () => {
    const theirs = await client.open();
    const answers: boolean[] = [];
    for (let count = 0; count < 17; count++) {
      answers.push(await isGranted(theirs, 'env', ...env('GIT_PROTOCOL', `version=${count === 16 ? 1 : 2}`)));
    }
    expect(answers).toEqual([...Array<boolean>(16).fill(true), false]);
    await expectUsable(theirs);
    expect(ground.gateway.requests[0]?.ask).toMatchObject({ gitProtocol: 'version=2' });
  });
});

describe('what a shell server gives and this door does not', () => {
  const size = [80, 24, 0, 0].map(uint32);
  test.each([
    ['a terminal', 'pty-req', [string('xterm'), ...size, string(Buffer.from([0]))]],
    ['a change of its size', 'window-change', size],
    ['X11', 'x11-req', [boolean(false), string('MIT-MAGIC-COOKIE-1'), string('00'), uint32(0)]],
    ['the agent', 'auth-agent-req@openssh.com', []],
    ['SFTP', 'subsystem', [string('sftp')]],
    ['any subsystem', 'subsystem', [string('netconf')]],
    ['what nobody has heard of', 'frobnicate@example.com', [string('x')]],
  ])('%s is refused, and the session goes on', async (_what, type, data) => {
    const theirs = await client.open();
    expect(await isGranted(theirs, type, ...data)).toBe(false);
    client.send(channelRequest(theirs, type, false, ...data));
    await expectUsable(theirs);
  });

  const address = (host: string, port: number) => [string(host), uint32(port)];
  test.each([
    ['a connection to elsewhere', 'direct-tcpip', [...address('192.0.2.1', 25), ...address('127.0.0.1', 1)], 1],
    ['a connection to a socket', 'direct-streamlocal@openssh.com', [string('/run/x'), string(''), uint32(0)], 1],
    ['a tunnel', 'tun@openssh.com', [uint32(1), uint32(0)], 3],
    ['a channel that only servers open', 'forwarded-tcpip', [...address('h', 1), ...address('h', 1)], 3],
  ])('%s is refused, and the connection goes on', async (_what, type, data, reason) => {
    client.send(openSession(4, { type, data: Buffer.concat(data) }));
    const failure = new Reader(await client.next(MESSAGE.CHANNEL_OPEN_FAILURE, MESSAGE.CHANNEL_OPEN_CONFIRMATION));
    expect([failure.uint32(), failure.uint32()]).toEqual([4, reason]);
    await expectUsable(await client.open());
  });

  test.each([
    ['tcpip-forward', address('0.0.0.0', 8080)],
    ['streamlocal-forward@openssh.com', [string('/tmp/x')]],
    ['keepalive@openssh.com', []],
  ])('the global request %s is answered with a no, and the connection goes on', async (name, data) => {
    client.send(message(MESSAGE.GLOBAL_REQUEST, string(name), boolean(true), ...data));
    await client.next(MESSAGE.REQUEST_FAILURE);
    await expectUsable(await client.open());
  });

  const { test: withSsh } = needs('ssh', 'ssh-keygen');
  withSsh('OpenSSH that asks for all of it gets its command run', async () => {
    const key = await generateKey('-t', 'ed25519');
    ground.gateway.platform.register('olivia', key.publicKey);
    const options = ['-A', '-X', '-R', '0:127.0.0.1:1', '-o', 'SendEnv=PATH', '-o', 'ServerAliveInterval=1'];
    const { code, stdout } = await openssh(ground, key.path, { options });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `olivia ${key.fingerprint}\n` });
  });
});

describe('a running command', () => {
  test('is told the signals that a client may send, and those only', async () => {
    const told: string[] = [];
    ground.gateway.command = async ({ channel }) => channel.onSignal((name) => told.push(name));
    const theirs = await client.open();
    client.send(channelRequest(theirs, 'signal', false, string('TERM')));
    await isGranted(theirs, 'exec', string('run'));
    for (const name of ['SEGV', 'QUIT', 'SIGTERM', 'CONT', 'term', '', 'KILL']) {
      client.send(channelRequest(theirs, 'signal', false, string(name)));
    }
    await until(() => told.includes('KILL'), 'the last signal arrives');
    expect(told).toEqual(['QUIT', 'KILL']);
  });

  test.each(['keepalive@openssh.com', 'env', 'pty-req', 'subsystem', 'auth-agent-req@openssh.com', 'signal'])(
    'leaves no request without its reply (%s)',
    async (type) => {
      // ssh2 by itself stays silent from here on, and a client that counts its keepalives takes the server for dead.
      ground.gateway.command = () => Promise.resolve();
      const theirs = await client.open();
      await isGranted(theirs, 'exec', string('run'));
      const size = [80, 24, 0, 0].map(uint32);
      const data =
        type === 'pty-req' ? [string('xterm'), ...size, string(Buffer.from([0]))] : [string('x'), string('y')];
      expect(await isGranted(theirs, type, ...data)).toBe(false);
      expect(ground.gateway.requests[0]?.channel.gone.aborted).toBe(false);
    },
  );

  test('is not given a command that comes after the end of input', async () => {
    const theirs = await client.open();
    client.send(message(MESSAGE.CHANNEL_EOF, uint32(theirs)));
    expect(await isGranted(theirs, 'exec', string('run'))).toBe(false);
    expect(ground.gateway.requests).toEqual([]);
  });
});
