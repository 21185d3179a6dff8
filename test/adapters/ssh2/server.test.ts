/** Connections as a whole: how they are accepted, what is negotiated on them, and how they are let go of. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { MemoryThrottle } from '../../../src/adapters/memory/index.js';
import { SshServer } from '../../../src/adapters/ssh2/server.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../../src/domain/admission-policy.js';
import { turns, until, within } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { makePair, NO_PROXIES, openGround, unwatched, type Ground } from './ground.js';
import { generateKey, openssh } from './openssh.js';
import { RawClient } from './raw-client.js';
import { channelRequest, MESSAGE, message, proof, Reader, string, uint32 } from '../../support/ssh-bytes.js';

const alice = makePair();
let ground: Ground;
const sockets: Socket[] = [];

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('alice', alice.publicKey);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await ground.close();
});

/** A bare connection, kept open by its test. */
async function dial(port = ground.port, options: { allowHalfOpen?: boolean } = {}): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, ...options });
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function expectServed(): Promise<void> {
  const client = await RawClient.logIn(ground.port, alice);
  const theirs = await client.open();
  client.send(channelRequest(theirs, 'exec', true, string('run')));
  await client.next(MESSAGE.CHANNEL_CLOSE);
  await client.close();
}

const events = <T extends Parameters<Ground['observer']['ofType']>[0]>(type: T) => ground.observer.ofType(type);

describe('what is advertised', () => {
  test('are the signature algorithms that are accepted, each by its name, and no others', async () => {
    // ssh2's own list runs two names together and adds SHA-1 and DSA.
    const client = await RawClient.connect(ground.port);
    const information = new Reader(client.received.find(([type]) => type === MESSAGE.EXT_INFO) ?? Buffer.alloc(0));
    expect(information.uint32()).toBe(2);
    expect([information.text(), information.text()]).toEqual([
      'server-sig-algs',
      'ssh-ed25519,sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256',
    ]);
    expect([information.text(), information.text()]).toEqual(['ping@openssh.com', '0']);
    // RFC 8308 2.4: the first message after the key exchange, and once.
    expect(client.types().filter((type) => type === MESSAGE.EXT_INFO)).toHaveLength(1);
    expect(client.types()[0]).toBe(MESSAGE.EXT_INFO);
    await client.close();
  });

  test('is nothing by SHA-1, DSA, CBC, NIST curves or compression, and the host keys are there', async () => {
    const lines: string[] = [];
    const client = await RawClient.connect(ground.port, { debug: (line) => lines.push(line) });
    const offered = (what: string) =>
      lines.flatMap((line) => (line.startsWith(`Handshake: (remote) ${what}: `) ? [line.split(': ')[2]] : []))[0];
    expect({
      kex: offered('KEX method'),
      hostKey: offered('Host key format'),
      cipher: offered('S->C cipher'),
      mac: offered('S->C MAC'),
      compression: offered('S->C compression'),
    }).toEqual({
      kex:
        'mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org,diffie-hellman-group16-sha512,' +
        'kex-strict-s-v00@openssh.com',
      hostKey: 'ssh-ed25519,rsa-sha2-512,rsa-sha2-256',
      cipher:
        'aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr',
      mac: 'hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com',
      compression: 'none',
    });
    await client.close();
  });

  test('in a second key exchange is the same, and the information is not sent again', async () => {
    const lines: string[] = [];
    const client = await RawClient.connect(ground.port, { debug: (line) => lines.push(line) });
    client.rekey();
    const exchanged = () => lines.filter((line) => line.startsWith('Handshake: (remote) Host key format: '));
    const completed = () => lines.filter((line) => line === 'Handshake completed').length;
    await until(() => completed() === 2, 'keys are exchanged again');
    expect(new Set(exchanged())).toEqual(
      new Set(['Handshake: (remote) Host key format: ssh-ed25519,rsa-sha2-512,rsa-sha2-256']),
    );
    client.prove({ algorithm: 'ssh-ed25519', blob: alice.blob }, alice);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    expect(client.types().filter((type) => type === MESSAGE.EXT_INFO)).toHaveLength(1);
    await client.close();
  });

  test('does not let a client in that insists on a SHA-1 signature of the host key', async () => {
    const client = new ssh2.Client();
    const failed = new Promise<Error>((resolve) => client.on('error', resolve));
    client.connect({
      host: '127.0.0.1',
      port: ground.port,
      username: 'git',
      algorithms: { serverHostKey: ['ssh-rsa'] },
    });
    expect((await failed).message).toContain('no matching host key format');
    client.destroy();
  });

  const { test: withSsh } = needs('ssh', 'ssh-keygen');
  withSsh.each(['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'])('works with OpenSSH and %s', async (algorithm) => {
    const key = await generateKey('-t', 'ed25519');
    ground.gateway.platform.register('olivia', key.publicKey);
    const options = ['-v', '-o', `HostKeyAlgorithms=${algorithm}`];
    const { code, stdout, stderr } = await openssh(ground, key.path, { options });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `olivia ${key.fingerprint}\n` });
    expect(stderr).toContain(`kex: host key algorithm: ${algorithm}`);
  });

  withSsh('is refused by OpenSSH when only SHA-1 would do', async () => {
    const key = await generateKey('-t', 'ed25519');
    const { code, stderr } = await openssh(ground, key.path, { options: ['-o', 'HostKeyAlgorithms=ssh-rsa'] });
    expect(code).toBe(255);
    expect(stderr).toContain('no matching host key type found. Their offer: ssh-ed25519,rsa-sha2-512,rsa-sha2-256');
  });
});

describe('a connection', () => {
  test('is told of when it is opened and when it is closed, with whoever had logged in', async () => {
    const silent = await dial();
    const { localPort } = silent;
    await until(() => events('connection-opened').length === 1, 'the connection is told of');
    silent.destroy();
    await until(() => events('connection-closed').length === 1, 'its close is told of');
    await (await RawClient.logIn(ground.port, alice)).close();
    await until(() => events('connection-closed').length === 2, 'its close is told of');
    const [first, second] = events('connection-closed');
    const opened = events('connection-opened').map(({ connection }) => connection);
    expect([first?.connection, second?.connection]).toEqual(opened);
    expect(events('connection-opened')[0]).toMatchObject({ address: '127.0.0.1', port: localPort });
    expect(first).not.toHaveProperty('user');
    expect(second).toMatchObject({ user: 'alice', address: '127.0.0.1' });
    expect(first?.durationMs).toBeGreaterThanOrEqual(0);
  });

  test('answers small messages at once, without waiting for more to send', async () => {
    // With Nagle's algorithm the second small write waits for the client's acknowledgement of the first, which a
    // client in conversation delays by 40 ms: 148 ms for an ls-remote instead of 24.
    const client = await RawClient.logIn(ground.port, alice);
    ground.gateway.command = async ({ channel }) => {
      channel.stdin.on('data', () => {
        channel.stdout.write('a');
        setTimeout(() => channel.stdout.write('b'), 1);
      });
    };
    const theirs = await client.open();
    client.send(channelRequest(theirs, 'exec', true, string('run')));
    await client.next(MESSAGE.CHANNEL_SUCCESS);
    const times: number[] = [];
    for (let round = 0; round < 31; round++) {
      const since = performance.now();
      client.send(message(MESSAGE.CHANNEL_DATA, uint32(theirs), string('?')));
      await client.next(MESSAGE.CHANNEL_DATA);
      await client.next(MESSAGE.CHANNEL_DATA);
      times.push(performance.now() - since);
    }
    expect(times.sort((a, b) => a - b)[15]).toBeLessThan(35);
    await client.close();
  });

  test('over IPv6 is served, and known by its address', async () => {
    const ground6 = await openGround({}, '::1');
    ground6.gateway.platform.register('alice', alice.publicKey);
    const client = await RawClient.connect(ground6.port, { host: '::1' });
    client.prove({ algorithm: 'ssh-ed25519', blob: alice.blob }, alice);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    expect(ground6.observer.ofType('login-succeeded')).toMatchObject([{ user: 'alice', address: '::1' }]);
    await client.close();
    await ground6.close();
  });

  test('over IPv4 to a server on both has one address, not a mapped one', async () => {
    const both = await openGround({}, '::');
    await (await RawClient.connect(both.port)).close();
    expect(both.observer.ofType('connection-opened')).toMatchObject([{ address: '127.0.0.1' }]);
    await both.close();
  });

  test('whose client answers a disconnect with silence is cut after a second', async () => {
    // Attack: be thrown out, keep the socket half open, and let the server hold it for ever.
    const socket = await dial(ground.port, { allowHalfOpen: true });
    socket.write('SSH-2.0-silent\r\n');
    socket.resume();
    await once(socket, 'data');
    // Six bytes of packet, whose length is out of bounds.
    socket.write(Buffer.from('ffffffff0000', 'hex'));
    const since = Date.now();
    await once(socket, 'end');
    expect(events('connection-closed')).toEqual([]);
    await until(() => events('connection-closed').length === 1, 'the connection is cut');
    expect(Date.now() - since).toBeGreaterThan(900);
    expect(Date.now() - since).toBeLessThan(4_000);
  });

  test.each([
    ['no SSH', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['an old version of SSH', 'SSH-1.5-old\r\n'],
    ['an identification and then noise', `SSH-2.0-x\r\n${'noise'.repeat(1000)}`],
    ['a packet of a length out of bounds', 'SSH-2.0-x\r\n\xff\xff\xff\xff'],
    ['nothing', ''],
  ])('that speaks %s is nobody else’s trouble', async (_what, text) => {
    const bystander = await RawClient.logIn(ground.port, alice);
    const socket = await dial();
    socket.end(Buffer.from(text, 'latin1'));
    socket.resume();
    await within(once(socket, 'close'), 'the close');
    await bystander.open();
    await bystander.close();
    expect(events('problem')).toEqual([]);
  });

  test.each([
    ['a malformed request', (client: RawClient) => client.send(Buffer.from([98, 0, 0]))],
    ['a malformed log-in', (client: RawClient) => client.send(Buffer.from([50, 0, 0, 0, 1]))],
    ['a key without a name', (client: RawClient) => client.send(cut(proof(NAMELESS, Buffer.alloc(0)), 40))],
    ['a reset', (client: RawClient) => client.socket.resetAndDestroy()],
  ])('that ends by %s is nobody else’s trouble', async (_what, misbehave) => {
    const client = await RawClient.connect(ground.port);
    misbehave(client);
    await until(() => client.isClosed, 'the connection is closed');
    await expectServed();
    expect(events('problem')).toEqual([]);
  });

  test('that cannot be begun is told of as a problem, and the next is served', async () => {
    // What is thrown before anything listens to a connection's errors would end the process.
    const broken = new Error('a bug');
    let isBroken = true;
    const options = Object.defineProperty(serverOptions(ground), 'enforcedLogin', {
      get() {
        if (isBroken) throw broken;
      },
    });
    const server = new SshServer(options);
    const { port } = await server.listen('127.0.0.1', 0);
    await expect(RawClient.connect(port)).rejects.toThrow('closed the connection');
    expect(events('problem')).toMatchObject([{ message: 'a connection could not be begun', error: broken }]);
    isBroken = false;
    await (await RawClient.logIn(port, alice)).close();
    server.stopListening();
    await server.endConnections('over');
  });
});

const NAMELESS = { algorithm: '', blob: Buffer.alloc(0) };

function cut(bytes: Buffer, length: number): Buffer {
  return bytes.subarray(0, length);
}

describe('letting go', () => {
  test('stopListening lets nobody new in and leaves those who are', async () => {
    const client = await RawClient.logIn(ground.port, alice);
    ground.server.stopListening();
    await expect(dial()).rejects.toThrow('ECONNREFUSED');
    await client.open();
    await client.close();
  });

  test('endConnections waits for running sessions, serves what is begun meanwhile, and then says why', async () => {
    const client = await RawClient.logIn(ground.port, alice);
    let finish: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (finish = resolve));
    ground.gateway.command = ({ channel }) => over.then(() => channel.finish(OVER));
    for (const mine of [0, 1]) {
      if (mine === 1) void ground.server.endConnections('this server is about to restart');
      const theirs = await client.open(mine);
      client.send(channelRequest(theirs, 'exec', true, string('run')));
      await client.next(MESSAGE.CHANNEL_SUCCESS);
    }
    expect(client.types()).not.toContain(MESSAGE.DISCONNECT);
    finish();
    await client.next(MESSAGE.CHANNEL_CLOSE);
    await client.next(MESSAGE.CHANNEL_CLOSE);
    const disconnect = new Reader(await client.next(MESSAGE.DISCONNECT));
    expect([disconnect.uint32(), disconnect.text()]).toEqual([11, 'this server is about to restart']);
    await until(() => client.isClosed, 'the connection is closed');
  });

  test('endConnections resolves when all are gone, whatever state they were in', async () => {
    const clients = [await RawClient.connect(ground.port), await RawClient.logIn(ground.port, alice)];
    await dial();
    const mute = await dial();
    mute.write('SSH-2.0-mute\r\n');
    await until(() => events('connection-opened').length === 4, 'all are connected');
    await within(ground.server.endConnections('over'), 'the end');
    expect(events('connection-closed')).toHaveLength(4);
    await until(() => clients.every(({ isClosed }) => isClosed), 'the clients notice');
  });

  test('endConnections resolves although a client answers with a reset', async () => {
    const client = await RawClient.logIn(ground.port, alice);
    client.socket.pause();
    const ended = ground.server.endConnections('over');
    await turns();
    client.socket.resetAndDestroy();
    await within(ended, 'the end');
  });

  test('cutConnections cuts all at once, in the middle of whatever they do', async () => {
    const client = await RawClient.logIn(ground.port, alice);
    let gone = false;
    ground.gateway.command = ({ channel }) =>
      new Promise((resolve) => {
        channel.gone.addEventListener('abort', () => {
          gone = true;
          resolve();
        });
      });
    const theirs = await client.open();
    client.send(channelRequest(theirs, 'exec', true, string('run')));
    await client.next(MESSAGE.CHANNEL_SUCCESS);
    await dial();
    ground.server.cutConnections();
    await until(() => events('connection-closed').length === 2 && gone, 'all are closed');
  });

  test('a user who is removed is told so, and their connection ends', async () => {
    const client = await RawClient.logIn(ground.port, alice);
    ground.gateway.platform.removeUser('alice');
    const disconnect = new Reader(await client.next(MESSAGE.DISCONNECT));
    expect([disconnect.uint32(), disconnect.text()]).toEqual([11, 'Your account was removed. Your command was ended.']);
    await until(() => client.isClosed, 'the connection is closed');
    await until(() => ground.gateway.connections.list().length === 0, 'the connection is off the list');
  });

  test('an address that is taken is an error of listen', async () => {
    const second = new SshServer(serverOptions(ground));
    await expect(second.listen('127.0.0.1', ground.port)).rejects.toThrow('EADDRINUSE');
  });
});

const OVER = { words: '', exit: { code: 0 } } as const;

function serverOptions({ gateway, observer, hostKeys }: Ground) {
  const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };
  return {
    gateway,
    observer,
    clock,
    hostKeys,
    algorithms: 'modern' as const,
    throttle: new MemoryThrottle(),
    strangers: unwatched(observer),
    limits: DEFAULT_ADMISSION_LIMITS,
    proxies: NO_PROXIES,
    newConnectionId: () => 'c',
  };
}
