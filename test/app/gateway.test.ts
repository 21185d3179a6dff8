import { chmodSync, cpSync, existsSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ContainerModule } from 'inversify';
import {
  MemoryAccessControl,
  MemoryAuthenticator,
  MemoryClock,
  MemoryObserver,
  MemoryPlatform,
  MemoryProvisioner,
  MemoryRepositoryLocks,
  MemoryLiveConnections,
  MemoryTransport,
  type MemoryCommand,
} from '../../src/adapters/memory/index.js';
import { ConfigError, readConfig, type Config } from '../../src/app/config.js';
import { openPlatform } from '../../src/app/platforms/embedded.js';
import { createGateway, type Gateway } from '../../src/app/gateway.js';
import { tokens } from '../../src/app/tokens.js';
import { until, within } from '../../src/contracts/contract.js';
import { freePort } from '../support/free-port.js';
import { sleepUntilSignalled } from '../support/memory-commands.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';
import { SshClient } from './ssh-client.js';

// The embedded platform's own jobs run git, whatever else is bound.
const { test: withGit } = needs('git');

const started: Gateway[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const gateway of started.splice(0)) await within(gateway.stop(), 'the gateway to stop');
  for (const server of servers.splice(0)) server.close();
});

/** Host keys of the first gateway, for the others: making an RSA key takes its time. */
let hostKeys: string | undefined;

function configOf(settings: Record<string, string> = {}): Config {
  const data = join(temporaryFolder('gateway'), 'data');
  if (hostKeys !== undefined) cpSync(hostKeys, join(data, 'host-keys'), { recursive: true });
  else hostKeys = join(data, 'host-keys');
  return readConfig({}, { GITMOUTH_DATA: data, GITMOUTH_LISTEN: '127.0.0.1:0', GITMOUTH_SANDBOX: 'none', ...settings });
}

/** A memory adapter for every port. */
class MemoryParts {
  readonly clock = new MemoryClock();
  readonly platform = new MemoryPlatform();
  readonly observer = new MemoryObserver();
  readonly locks = new MemoryRepositoryLocks(this.clock);
  readonly provisioner = new MemoryProvisioner();
  command: MemoryCommand = async () => 0;
  readonly transport = new MemoryTransport(() => (process) => this.command(process), this.clock);

  readonly module = new ContainerModule(({ rebind }) => {
    rebind(tokens.clock).toConstantValue(this.clock);
    rebind(tokens.observer).toConstantValue(this.observer);
    rebind(tokens.authenticator).toConstantValue(new MemoryAuthenticator(this.platform));
    rebind(tokens.accessControl).toConstantValue(new MemoryAccessControl(this.platform));
    rebind(tokens.locks).toConstantValue(this.locks);
    rebind(tokens.provisioner).toConstantValue(this.provisioner);
    rebind(tokens.transport).toConstantValue(this.transport);
    rebind(tokens.connections).toConstantValue(new MemoryLiveConnections(this.platform));
  });
}

/** A gateway with memory behind every port, and a client of its user alice, logged in. */
async function opened(settings: Record<string, string> = {}) {
  const parts = new MemoryParts();
  const gateway = await createGateway(configOf(settings), parts.module);
  started.push(gateway);
  const { host, port } = await gateway.start();
  const client = new SshClient();
  parts.platform.register('alice', client.key);
  parts.platform.createApp('shop', 'alice');
  await client.connect(port);
  return { parts, gateway, client, host, port };
}

/** Whether an SSH server says its line there. */
async function greeted(address: { readonly host: string; readonly port: number }): Promise<boolean> {
  const socket = connect(address);
  const line = await once(socket, 'data').then(String, () => '');
  socket.destroy();
  return line.startsWith('SSH-2.0-');
}

function only<T>(things: readonly T[]): T {
  expect(things).toHaveLength(1);
  return things[0] as T;
}

describe('a gateway with an adapter of one’s own behind every port', () => {
  withGit('listens on a free port, and greets and serves a real SSH client', async () => {
    const { parts, gateway, client, host, port } = await opened();
    expect(host).toBe('127.0.0.1');
    expect(port).toBeGreaterThan(1023);
    expect(only(parts.observer.ofType('server-started'))).toMatchObject({
      address: `127.0.0.1:${port}`,
      platform: 'embedded',
      sandbox: 'none',
      hostKeys: [expect.stringMatching(/^ssh-ed25519 SHA256:/), expect.stringMatching(/^ssh-rsa SHA256:/)],
    });
    expect(only(gateway.connections()).caller.user.name).toBe('alice');

    const greeting = await client.greeting();
    expect(greeting).toMatchObject({ stdout: '', exit: 1 });
    expect(greeting.stderr).toContain(`Hi alice! You have been recognised by the key ${client.key.sha256}.`);

    parts.command = async ({ stdout }) => {
      stdout.write('refs');
      return 128;
    };
    expect(await client.run("git-upload-pack 'shop.git'")).toEqual({ stdout: 'refs', stderr: '', exit: 128 });
    expect(parts.observer.ofType('session-ended').map(({ verdict }) => verdict)).toEqual(['greeted', 'exit-128']);
    await client.end();
    await until(() => gateway.connections().length === 0, 'the connection to be forgotten');
    await gateway.drain();
    expect(parts.provisioner.held()).toEqual([]);
  });

  withGit('listens on several addresses, and stops listening on all', async () => {
    const everywhere = await freePort();
    const parts = new MemoryParts();
    const listen = `127.0.0.1:0,[::1]:0,0.0.0.0:${everywhere},[::]:${everywhere}`;
    const gateway = await createGateway(configOf({ GITMOUTH_LISTEN: listen }), parts.module);
    started.push(gateway);
    const { host, port, all } = await gateway.start();
    expect(all).toEqual([
      { host: '127.0.0.1', port },
      { host: '::1', port: expect.any(Number) },
      { host: '0.0.0.0', port: everywhere },
      { host: '::', port: everywhere },
    ]);
    expect(host).toBe('127.0.0.1');
    expect(only(parts.observer.ofType('server-started'))).toMatchObject({
      address: `127.0.0.1:${port}`,
      alsoOn: [`[::1]:${all[1]?.port}`, `0.0.0.0:${everywhere}`, `[::]:${everywhere}`],
    });
    const addresses = [...all.slice(0, 2), { host: '127.0.0.2', port: everywhere }, { host: '::1', port: everywhere }];
    for (const address of addresses) expect([address, await greeted(address)]).toEqual([address, true]);
    await gateway.drain();
    for (const address of addresses) expect([address, await greeted(address)]).toEqual([address, false]);
  });

  withGit('lets nobody in whose key the bound authenticator does not know', async () => {
    const { parts, gateway, port } = await opened();
    const stranger = new SshClient();
    await expect(stranger.connect(port)).rejects.toThrow(/authentication/i);
    await stranger.end();
    await until(() => parts.observer.ofType('connection-closed').length > 0, 'the stranger to be gone');
    expect(only(parts.observer.ofType('connection-closed'))).not.toHaveProperty('user');
    expect(parts.observer.ofType('login-succeeded').map(({ user }) => user)).toEqual(['alice']);
    expect(only(gateway.connections()).caller.user.name).toBe('alice');
  });
});

describe('a drain', () => {
  withGit('tells running sessions, ends them when the time is over, and closes everything', async () => {
    const { parts, gateway, client, port } = await opened({ GITMOUTH_DRAIN_SECONDS: '60' });
    parts.command = sleepUntilSignalled;
    let isRunning = false;
    const push = client.run("git-receive-pack 'shop.git'", () => (isRunning = true));
    await until(() => isRunning, 'the push to run');
    const drained = gateway.drain();
    await until(() => parts.clock.sleeping > 0, 'the drain to wait');
    await expect(new SshClient().connect(port)).rejects.toThrow(/ECONNREFUSED/);
    await parts.clock.advance(59_999);
    expect(parts.transport.running()).toEqual(['dyno-1']);
    await parts.clock.advance(1);
    const { stderr, exit } = await push;
    expect(exit).toBe('SIGTERM');
    expect(stderr).toContain(' !     This server is about to restart. Your command has 60 seconds to finish.\n');
    expect(stderr).toContain(' !     The time to finish is over and this server stops now.');
    await within(drained, 'the drain');
    await within(client.closed, 'the client to be disconnected');
    expect(only(parts.observer.ofType('server-draining'))).toMatchObject({ sessions: 1, drainMs: 60_000 });
    expect(parts.observer.events.at(-1)).toEqual({ type: 'server-stopped' });
    expect(parts.locks.leases()).toEqual([]);
    expect(parts.provisioner.held()).toEqual([]);
    expect(parts.clock.sleeping).toBe(0);
  });

  withGit('waits no longer than its sessions take', async () => {
    const { parts, gateway, client } = await opened();
    parts.command = sleepUntilSignalled;
    let isRunning = false;
    const fetch = client.run("git-upload-pack 'shop.git'", () => (isRunning = true));
    await until(() => isRunning, 'the fetch to run');
    const drained = gateway.drain();
    await until(() => parts.clock.sleeping > 0, 'the drain to wait');
    only(gateway.connections()).end('client-left');
    await fetch;
    await within(drained, 'the drain');
    expect(parts.clock.now()).toBe(Date.UTC(2026, 0, 1));
  });

  withGit('waits for the dyno of a client that left just before, and then lets its platform know', async () => {
    const { parts, gateway, client } = await opened();
    let isRunning = false;
    parts.command = ({ trap }) => {
      isRunning = true;
      // The word TERM is nothing to it.
      trap(() => undefined);
      return new Promise(() => undefined);
    };
    void client.run("git-receive-pack 'shop.git'", () => undefined).catch(() => undefined);
    await until(() => isRunning, 'the push to run');
    await client.end();
    await until(() => gateway.connections().length === 0 && parts.clock.sleeping > 0, 'the dyno has its grace');
    const drained = gateway.drain();
    await until(() => parts.observer.ofType('server-draining').length > 0, 'the drain to begin');
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(parts.observer.ofType('server-stopped')).toEqual([]);
    expect(parts.provisioner.held()).toHaveLength(1);
    await parts.clock.advance(5_000);
    await within(drained, 'the drain');
    expect(parts.provisioner.held()).toEqual([]);
    expect(parts.locks.leases()).toEqual([]);
    expect(parts.observer.events.map(({ type }) => type).slice(-2)).toEqual(['session-ended', 'server-stopped']);
  });

  withGit('asked for twice is one, and a stop during it ends it at once', async () => {
    const { parts, gateway, client } = await opened();
    parts.command = sleepUntilSignalled;
    let isRunning = false;
    const fetch = client.run("git-upload-pack 'shop.git'", () => (isRunning = true));
    await until(() => isRunning, 'the fetch to run');
    const drains = [gateway.drain(), gateway.drain()];
    await within(Promise.all([...drains, gateway.stop()]), 'all of them');
    expect((await fetch).exit).toBe('SIGTERM');
    only(parts.observer.ofType('server-draining'));
    only(parts.observer.ofType('server-stopped'));
  });
});

describe('what a lifecycle must still deliver', () => {
  class Deliveries {
    readonly calls: string[] = [];
    deliver: () => void = () => undefined;
    readonly module = new ContainerModule(({ bind }) => {
      bind(tokens.lifecycle).toConstantValue({
        prepare: () => Promise.resolve(),
        finish: (signal: AbortSignal) => {
          this.calls.push('finish');
          signal.addEventListener('abort', () => this.calls.push('time is over'));
          return new Promise<void>((resolve) => (this.deliver = resolve));
        },
        close: () => this.calls.push('close'),
      });
    });
  }

  async function draining() {
    const parts = new MemoryParts();
    const deliveries = new Deliveries();
    const gateway = await createGateway(configOf(), parts.module, deliveries.module);
    started.push(gateway);
    await gateway.start();
    const drained = gateway.drain();
    await until(() => deliveries.calls.length > 0, 'the lifecycle is asked to finish');
    return { parts, gateway, drained, deliveries };
  }

  withGit('is waited for after the last session, and before anything is closed', async () => {
    const { parts, drained, deliveries } = await draining();
    await parts.clock.advance(29_999);
    expect(deliveries.calls).toEqual(['finish']);
    deliveries.deliver();
    await within(drained, 'the drain');
    expect(deliveries.calls).toEqual(['finish', 'close']);
    expect(parts.clock.sleeping).toBe(0);
  });

  withGit('is waited for no longer than half a minute', async () => {
    const { parts, drained, deliveries } = await draining();
    await parts.clock.advance(30_000);
    await within(drained, 'the drain');
    expect(deliveries.calls).toEqual(['finish', 'time is over', 'close']);
  });

  withGit('has a second left once the end is hurried', async () => {
    const { parts, gateway, drained, deliveries } = await draining();
    void gateway.stop();
    await parts.clock.advance(999);
    expect(deliveries.calls).toEqual(['finish']);
    await parts.clock.advance(1);
    await within(drained, 'the drain');
    expect(deliveries.calls).toEqual(['finish', 'time is over', 'close']);
  });
});

describe('a reload', () => {
  withGit('gives its limits to new connections, and those that are open keep theirs', async () => {
    const settings = { GITMOUTH_IDLE_SECONDS: '600' };
    const { parts, gateway, port } = await opened(settings);
    const shorter = readConfig({}, { GITMOUTH_IDLE_SECONDS: '1', GITMOUTH_SANDBOX: 'none' });
    const { changed } = await gateway.reload(() => shorter);
    expect(changed).toContain('GITMOUTH_IDLE_SECONDS');
    const newcomer = new SshClient();
    parts.platform.register('bob', newcomer.key);
    await newcomer.connect(port);
    const since = performance.now();
    await within(newcomer.closed, 'the new connection to be ended');
    expect(performance.now() - since).toBeGreaterThan(900);
    expect(only(gateway.connections()).caller.user.name).toBe('alice');
    expect(only(parts.observer.ofType('connection-closed'))).toMatchObject({ user: 'bob', reason: 'idle' });
  });

  withGit('that fails is told of, rejects and changes nothing; those that follow wait for it', async () => {
    const { parts, gateway } = await opened();
    const failed = gateway.reload(() => readConfig({}, { GITMOUTH_DYNOS: 'many', GITMOUTH_SANDBOX: 'docker' }));
    const next = gateway.reload(() => readConfig({}, { GITMOUTH_DRAIN_SECONDS: '7', GITMOUTH_SANDBOX: 'none' }));
    await expect(failed).rejects.toThrow(ConfigError);
    const { message } = only(parts.observer.ofType('problem').slice(-1));
    expect(message).toContain('was not reloaded, and nothing has changed: GITMOUTH_SANDBOX must be auto');
    expect(message).toContain('; GITMOUTH_DYNOS must be a whole number');
    expect((await next).changed).toEqual(['GITMOUTH_DRAIN_SECONDS']);
    expect(only(parts.observer.ofType('config-reloaded')).changed).toEqual(['GITMOUTH_DRAIN_SECONDS']);
    await gateway.drain();
    expect(only(parts.observer.ofType('server-draining')).drainMs).toBe(7_000);
    await expect(gateway.reload(() => readConfig({}, {}))).rejects.toThrow('this server is about to stop');
  });
});

describe('a reload whose second half fails', () => {
  /** What the dynos are made by, on the same data folder; the sandbox is chosen and tried before this is asked for. */
  function withoutGrace(config: Config): Config {
    const limits = Object.defineProperty({ ...config.limits }, 'terminateGraceMs', {
      get: () => {
        throw new Error('no more descriptors');
      },
    });
    return { ...config, limits };
  }

  withGit('has changed nothing, and made no host key', async () => {
    const parts = new MemoryParts();
    const config = configOf();
    const gateway = await createGateway(config, parts.module);
    started.push(gateway);
    const key = join(config.dataFolder, 'host-keys', 'ssh_host_ed25519_key');
    rmSync(key);
    const settings = { GITMOUTH_DATA: config.dataFolder, GITMOUTH_LISTEN: '127.0.0.1:0', GITMOUTH_SANDBOX: 'none' };
    const wanted = readConfig({}, { ...settings, GITMOUTH_IDLE_SECONDS: '1' });
    await expect(gateway.reload(() => withoutGrace(wanted))).rejects.toThrow('no more descriptors');
    expect(existsSync(key)).toBe(false);
    expect((await gateway.reload(() => wanted)).changed).toEqual(['GITMOUTH_IDLE_SECONDS']);
    expect(existsSync(key)).toBe(true);
  });
});

describe('a start that makes no sense', () => {
  /** Files of a data folder that this process still has open. */
  function openIn(config: Config): readonly string[] {
    return readdirSync('/proc/self/fd')
      .map((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return '';
        }
      })
      .filter((target) => target.startsWith(config.dataFolder));
  }

  withGit('on a port that is taken says so and what to do, and leaves nothing open', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    servers.push(other);
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const parts = new MemoryParts();
    const config = configOf({ GITMOUTH_LISTEN: `127.0.0.1:${port}` });
    const gateway = await createGateway(config, parts.module);
    expect(openIn(config)).not.toEqual([]);
    await expect(gateway.start()).rejects.toThrow(
      new RegExp(`127\\.0\\.0\\.1:${port} is in use.*GITMOUTH_LISTEN \\(or --listen\\)`),
    );
    expect(openIn(config)).toEqual([]);
    expect(parts.observer.ofType('server-started')).toEqual([]);
  });

  withGit('on several addresses of which one is taken names it, and listens on none', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    servers.push(other);
    await once(other, 'listening');
    const { port: taken } = other.address() as { port: number };
    const free = await freePort();
    const parts = new MemoryParts();
    const config = configOf({ GITMOUTH_LISTEN: `127.0.0.1:${free},127.0.0.1:${taken},[::1]:0` });
    const gateway = await createGateway(config, parts.module);
    await expect(gateway.start()).rejects.toThrow(`127.0.0.1:${taken} is in use`);
    const again = createServer().listen(free, '127.0.0.1');
    servers.push(again);
    await once(again, 'listening');
    expect(parts.observer.ofType('server-started')).toEqual([]);
  });

  withGit('with its health on a port that is taken names that setting, and leaves nothing open', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    servers.push(other);
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const config = configOf({ GITMOUTH_HEALTH_LISTEN: `127.0.0.1:${port}` });
    const gateway = await createGateway(config, new MemoryParts().module);
    await expect(gateway.start()).rejects.toThrow(
      new RegExp(`127\\.0\\.0\\.1:${port} is in use.*set GITMOUTH_HEALTH_LISTEN to another port`),
    );
    expect(openIn(config)).toEqual([]);
  });

  withGit('because a lifecycle of a module is not ready fails with its words, and closes it', async () => {
    const config = configOf();
    const calls: string[] = [];
    const notReady = new ContainerModule(({ bind }) => {
      bind(tokens.lifecycle).toConstantValue({
        prepare: () => Promise.reject(new Error('set API_URL first')),
        finish: () => Promise.resolve(),
        close: () => calls.push('close'),
      });
    });
    const gateway = await createGateway(config, new MemoryParts().module, notReady);
    await expect(gateway.start()).rejects.toThrow('set API_URL first');
    expect(calls).toEqual(['close']);
    expect(openIn(config)).toEqual([]);
  });

  /** A gateway in the middle of its start, which somebody is being made ready for. */
  async function starting(prepare: (signal: AbortSignal) => Promise<void>) {
    const config = configOf();
    const calls: string[] = [];
    const slow = new ContainerModule(({ bind }) => {
      bind(tokens.lifecycle).toConstantValue({
        prepare: (signal: AbortSignal) => {
          calls.push('prepare');
          return prepare(signal);
        },
        finish: () => Promise.resolve(),
        close: () => calls.push('close'),
      });
    });
    const parts = new MemoryParts();
    const gateway = await createGateway(config, parts.module, slow);
    const start = gateway.start();
    start.catch(() => undefined);
    await until(() => calls.length > 0, 'the start to be under way');
    return { config, parts, gateway, calls, start };
  }

  withGit('any more, as it is drained meanwhile, is given up: it never listens, and leaves nothing open', async () => {
    const { config, parts, gateway, calls, start } = await starting(
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    await within(gateway.drain(), 'the drain');
    await expect(start).rejects.toThrow('this server was stopped before it had started');
    expect(calls).toEqual(['prepare', 'close']);
    expect(openIn(config)).toEqual([]);
    expect(parts.observer.events.map(({ type }) => type)).not.toContain('server-started');
    await expect(gateway.start()).rejects.toThrow('this server was stopped before it had started');
  });

  withGit('any more, as it is drained meanwhile, is waited for no longer than 5 seconds', async () => {
    const { config, parts, gateway, calls } = await starting(() => new Promise(() => undefined));
    const drained = gateway.drain();
    await until(() => parts.clock.sleeping > 0, 'the drain to wait');
    await parts.clock.advance(4_999);
    expect(calls).toEqual(['prepare']);
    await parts.clock.advance(1);
    await within(drained, 'the drain');
    expect(calls).toEqual(['prepare', 'close']);
    expect(openIn(config)).toEqual([]);
  });

  withGit('because a port is bound to nothing fails before it listens, and leaves nothing open', async () => {
    const config = configOf();
    const without = new ContainerModule(({ unbind }) => unbind(tokens.provisioner));
    await expect(createGateway(config, without)).rejects.toThrow(/gitmouth\.provisioner/);
    expect(openIn(config)).toEqual([]);
  });

  withGit('because a host key can be read by others names the file, and leaves nothing open', async () => {
    const config = configOf();
    const parts = new MemoryParts();
    const gateway = await createGateway(config, parts.module);
    await gateway.drain();
    const file = join(config.dataFolder, 'host-keys/ssh_host_ed25519_key');
    chmodSync(file, 0o644);
    await expect(createGateway(config, parts.module)).rejects.toThrow(`run chmod 600 ${file}`);
    expect(openIn(config)).toEqual([]);
  });
});

describe('without modules', () => {
  withGit('the embedded platform serves from its data folder; a module that rebinds one port is used', async () => {
    const config = configOf();
    const observer = new MemoryObserver();
    const client = new SshClient();
    const gateway = await createGateway(
      config,
      new ContainerModule(({ rebind }) => {
        rebind(tokens.observer).toConstantValue(observer);
      }),
    );
    started.push(gateway);
    const { platform, db } = openPlatform(config);
    platform.users.add('alice');
    platform.keys.add('alice', client.key, 'of the test');
    db.close();
    const { port } = await gateway.start();
    expect(only(observer.ofType('problem')).message).toContain('DYNOS ARE NOT ISOLATED');
    await client.connect(port);
    expect((await client.greeting()).stderr).toContain('Hi alice!');
    const unknown = await client.run("git-upload-pack 'nothing.git'");
    expect(unknown).toMatchObject({ stdout: '', exit: 1 });
    await client.end();
    await gateway.drain();
    expect(readdirSync(config.dataFolder)).toEqual(expect.arrayContaining(['gitmouth.db', 'host-keys']));
    expect(observer.events.at(-1)).toEqual({ type: 'server-stopped' });
  });
});

test('what is exported for embedders is what the tests above use', async () => {
  const index = await import('../../src/index.js');
  expect(index).toMatchObject({ createGateway, readConfig, tokens });
});
