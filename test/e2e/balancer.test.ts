/** The built program behind balancers that say whose connections theirs are, and on several addresses at once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { until } from '../../src/contracts/contract.js';
import { Balancer } from '../support/balancer.js';
import { Door, execute, type Person, type Result } from '../support/door.js';
import { freePort } from '../support/free-port.js';
import { isUsable, needs } from '../support/programs.js';
import { v1, v2, type End } from '../support/proxy-header.js';
import { temporaryFolder } from '../support/temporary.js';

const PROXY = '127.0.0.9';
const FAR_AWAY: End = { address: '203.0.113.7', port: 50_022 };
const FAR_AWAY_TOO: End = { address: '2001:db8::7', port: 50_023 };
const { describe } = needs('git', 'ssh', 'ssh-keygen');
const { test: withHaproxy } = needs('haproxy');

describe('on several addresses, behind a balancer', () => {
  let door: Door;
  let alice: Person;

  beforeAll(async () => {
    door = new Door({
      GITMOUTH_LISTEN: '127.0.0.1:0,[::1]:0,127.0.0.1:0',
      GITMOUTH_PROXY_FROM: PROXY,
      GITMOUTH_SANDBOX: isUsable('bwrap') ? 'auto' : 'none',
    });
    await door.start();
    alice = await door.person('alice');
  });

  afterAll(() => door.stop());

  /** By way of any address, with the door's host keys. */
  function git(folder: string, options: readonly string[], ...args: string[]): Promise<Result> {
    const known = ['-o', `HostKeyAlias=[127.0.0.1]:${door.port}`];
    const GIT_SSH_COMMAND = ['ssh', ...alice.sshOptions, ...known, ...options].join(' ');
    return execute('git', args, { cwd: folder, env: { ...alice.environment, GIT_SSH_COMMAND } });
  }

  async function push(app: string, port: number, options: readonly string[] = []): Promise<void> {
    const work = await alice.repository();
    const url = `ssh://git@127.0.0.1:${port}/${app}.git`;
    expect(await git(work, options, 'push', '--quiet', url, 'main')).toMatchObject({ code: 0 });
  }

  describe('that says it', () => {
    let balancer: Balancer;

    beforeEach(async () => {
      balancer = await Balancer.start(() => door.port, PROXY);
    });

    afterEach(() => balancer.stop());

    test.each([
      ['version 1', FAR_AWAY, v1(FAR_AWAY)],
      ['version 2', FAR_AWAY_TOO, v2(FAR_AWAY_TOO)],
    ])('by %s, a push is told with the address of its client', async (version, { address, port }, header) => {
      balancer.header = header;
      const app = version.replace(' ', '-');
      await push(app, balancer.port);
      expect(await door.session({ app })).toMatchObject({ address, user: 'alice', verdict: 'exit-0' });
      expect(door.events('connection-opened')).toContainEqual(expect.objectContaining({ address, port, via: PROXY }));
    });

    test('in no words at all, its clients are told why they are refused', async () => {
      balancer.header = undefined;
      const work = await alice.repository();
      const { code, stderr } = await git(work, [], 'ls-remote', `ssh://git@127.0.0.1:${balancer.port}/any.git`);
      expect(code).not.toBe(0);
      expect(stderr).toContain('The proxy in front of this server did not say whom it connects for');
    });
  });

  test('each address is served, and told of', async () => {
    const [started] = door.events('server-started');
    const addresses = [String(started?.['address']), ...(started?.['alsoOn'] as string[])];
    expect(addresses).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^\[::1\]:\d+$/),
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    ]);
    expect(new Set(addresses).size).toBe(3);
    expect(door.said).toContain(`gitmouth listens on ${addresses.join(', ')}, with the host keys`);
    await push('everywhere', door.port);
    for (const address of addresses) {
      const listed = await git('/', [], 'ls-remote', `ssh://git@${address}/everywhere.git`);
      expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('refs/heads/main') });
    }
  });

  withHaproxy.each(['send-proxy', 'send-proxy-v2'])(
    'HAProxy with %s, and its checks, is understood',
    async (option) => {
      const port = await freePort();
      const config = join(temporaryFolder('haproxy'), 'haproxy.cfg');
      const server = `server door 127.0.0.1:${door.port} ${option} source ${PROXY} check check-send-proxy inter 100ms`;
      writeFileSync(
        config,
        [
          'global\n  maxconn 20',
          'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m',
          `listen ssh\n  bind 127.0.0.1:${port}\n  ${server}\n`,
        ].join('\n'),
      );
      const refused = door.events('connections-refused').length;
      const haproxy = spawn('haproxy', ['-db', '-f', config], { stdio: 'ignore' });
      try {
        await until(() => answers(port), 'HAProxy listens');
        const app = `by-${option}`;
        await push(app, port, ['-o', 'BindAddress=127.0.0.5']);
        expect(await door.session({ app })).toMatchObject({ address: '127.0.0.5', verdict: 'exit-0' });
        const checks = () => door.events('connection-opened').filter(({ address }) => address === PROXY);
        const before = checks().length;
        await until(() => checks().length > before + 2, 'HAProxy checks the door');
        expect(door.events('connections-refused').length).toBe(refused);
        expect(door.events('penalty-began')).toEqual([]);
      } finally {
        haproxy.kill('SIGKILL');
        await once(haproxy, 'close');
      }
    },
  );
});

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
