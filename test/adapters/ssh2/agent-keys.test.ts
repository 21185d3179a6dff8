import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { agentKeyLines } from '../../../src/adapters/ssh2/agent-keys.js';
import { until, within } from '../../../src/contracts/contract.js';
import { execute } from '../../support/door.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { Agent } from '../../support/agent.js';
import { makeSecurityKey } from '../../support/security-key.js';
import { readKeyLine } from '../../../src/adapters/ssh2/public-keys.js';
import { makePair } from './ground.js';
import { selfMadeCertificate } from './odd-keys.js';
import { generateKey } from './openssh.js';

describe('a real agent', () => {
  const { test: withAgent } = needs('ssh-agent', 'ssh-keygen');

  withAgent('tells its keys as .pub lines, or none while it has none', async () => {
    const path = join(temporaryFolder('agent'), 'socket');
    const agent = spawn('ssh-agent', ['-D', '-a', path], { stdio: 'ignore' });
    const ended = once(agent, 'exit');
    try {
      await until(() => existsSync(path), 'the agent listens');
      expect(await agentKeyLines(path)).toEqual([]);
      const keys = [
        await generateKey('-t', 'ed25519'),
        await generateKey('-t', 'ecdsa', '-b', '384'),
        await generateKey('-t', 'rsa', '-b', '2048'),
      ];
      for (const key of keys) {
        const added = await execute('ssh-add', ['-q', key.path], { env: { SSH_AUTH_SOCK: path } });
        expect(added).toEqual({ code: 0, stdout: '', stderr: '' });
      }
      expect(await agentKeyLines(path)).toEqual(keys.map((key) => readFileSync(`${key.path}.pub`, 'utf8').trim()));
    } finally {
      agent.kill();
      await ended;
    }
  });
});

test('security keys and certificates in an agent are told with the others', async () => {
  const keys = [makeSecurityKey('ed25519-sk'), makePair(), makeSecurityKey('ecdsa-sk')];
  const certificate = selfMadeCertificate(makePair(), 'anybody');
  const agent = await Agent.start(...keys, { blob: certificate, sign: () => Buffer.alloc(0) });
  try {
    const lines = await agentKeyLines(agent.path);
    const readings = lines.map(readKeyLine);
    const blobs = readings.slice(0, 3).map((reading) => ('key' in reading ? Buffer.from(reading.key.blob) : undefined));
    expect(blobs).toEqual(keys.map(({ blob }) => blob));
    expect(readings[0]?.comment).toBe('held by a test');
    expect(lines[3]).toMatch(/^ssh-ed25519-cert-v01@openssh\.com [A-Za-z0-9+/=]+ held by a test$/);
    expect(readings[3]).toMatchObject({ problem: expect.stringContaining('this is a certificate') });
  } finally {
    await agent.stop();
  }
});

describe('without an agent that answers there are no keys', () => {
  test.each([
    ['nothing is there', () => join(temporaryFolder('agent'), 'socket')],
    ['what is there is no socket', () => temporaryFolder('agent')],
  ])('when %s', async (_what, path) => {
    expect(await agentKeyLines(path())).toEqual([]);
  });

  /** An agent that does this with whoever connects. */
  async function withImpostor(behave: (socket: Socket) => void, use: (path: string) => Promise<void>): Promise<void> {
    const path = join(temporaryFolder('agent'), 'socket');
    const server: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      behave(socket);
    });
    server.listen(path);
    await once(server, 'listening');
    try {
      await use(path);
    } finally {
      server.close();
      // Also shows that the connection was closed: a server closes only after its last one.
      await within(once(server, 'close'), 'the connection to be closed');
    }
  }

  /** Four gigabytes, a byte at a time, so that it is never silent. */
  function sayForEver(socket: Socket): void {
    socket.resume().write(Buffer.from([0xff, 0xff, 0xff, 0xff, 12]));
    const timer = setInterval(() => socket.write('x'), 50);
    socket.on('close', () => clearInterval(timer));
  }

  test.each<[string, (socket: Socket) => void]>([
    ['it hangs up', (socket) => socket.destroy()],
    ['it hangs up politely', (socket) => socket.resume().end()],
    ['it refuses', (socket) => socket.resume().write(Buffer.from([0, 0, 0, 1, 5]))],
    ['it answers with noise', (socket) => socket.resume().write('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(100))],
    [
      'it says that there is more than there is',
      (socket) => socket.resume().write(Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 9])),
    ],
    ['it has a lot to say and does not stop', sayForEver],
    [
      'it answers something else',
      (socket) => socket.resume().write(Buffer.from([0, 0, 0, 14, 14, 0, 0, 0, 1, 0, 0, 0, 1, 65, 0, 0, 0, 0])),
    ],
  ])('when %s', async (_what, behave) => {
    await withImpostor(behave, async (path) => {
      expect(await within(agentKeyLines(path), 'the answer')).toEqual([]);
    });
  });

  test('when it never answers, after two seconds', async () => {
    await withImpostor(
      (socket) => socket.resume(),
      async (path) => {
        const since = Date.now();
        expect(await within(agentKeyLines(path), 'the answer')).toEqual([]);
        expect(Date.now() - since).toBeGreaterThan(1_500);
      },
    );
  });
});
