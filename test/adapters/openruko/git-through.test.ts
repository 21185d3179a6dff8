/** Real git clients, through the API server's answer and the rendezvous, to real git in a dyno. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { OpenrukoProvisioner } from '../../../src/adapters/openruko/openruko-provisioner.js';
import { RendezvousTransport } from '../../../src/adapters/openruko/rendezvous-transport.js';
import type { Dyno, DynoExit } from '../../../src/domain/dyno.js';
import { isFault } from '../../../src/domain/fault.js';
import type { GitService } from '../../../src/domain/git-request.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import type { Transport } from '../../../src/ports/transport.js';
import { never, until, within } from '../../../src/contracts/contract.js';
import { sampleCaller, sampleSession } from '../../../src/contracts/samples.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { DynoHost } from '../../support/openruko/dyno-host.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { GitDaemon } from '../process/git-daemon.js';
import { openGround, openHouse } from './ground.js';

const { test, describe } = needs('openssl', 'git');
const MIB = 1024 ** 2;

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Without blocking: the servers are in this process. */
async function git(folder: string, ...args: readonly string[]): Promise<Ran> {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  const child = spawn('git', ['-C', folder, ...identity, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', HOME: folder, LC_ALL: 'C' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  const code = await within(new Promise<number | null>((resolve) => child.once('close', resolve)), 'git', 60_000);
  return { code, output };
}

interface Place {
  readonly url: string;
  /** The app's repository, in the dyno host. */
  readonly repository: string;
  /** How each session ended, once so many have: git is done a moment before they are. */
  ended(count: number): Promise<readonly string[]>;
  cutAfter(bytes: number | undefined): void;
}

/** An installation of Openruko with one app, and a door to it for git's own protocol. */
async function inPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const repository = temporaryFolder('app');
  await git(repository, 'init', '--quiet', '--bare', '--initial-branch=main');
  const { identity, trust } = openGround();
  const host = await DynoHost.start({ identity, bootMs: 30 });
  let cutAfterBytes: number | undefined;
  const house = await openHouse({
    takeJob: (_app, command) => ({
      host: '127.0.0.1',
      dyno_id: host.take(
        ['git', command.slice('git-'.length), repository],
        cutAfterBytes === undefined ? {} : { cutAfterBytes },
      ),
    }),
  });
  house.server.createApp('app', 'alice');
  const provisioner = new OpenrukoProvisioner(house.client);
  const transport = new RendezvousTransport({
    port: host.port,
    serviceKey: SERVICE_KEY,
    trust,
    connectMs: 5_000,
    firstWordMs: 10_000,
  });
  const ends: string[] = [];
  const daemon = new GitDaemon(provisioning(provisioner, transport, ends), (service) => unprovisioned(service));
  try {
    const url = await daemon.start();
    const ended = async (count: number) => {
      await until(() => ends.length >= count, `${count} sessions have ended`);
      return ends;
    };
    await use({ url, repository, ended, cutAfter: (bytes) => (cutAfterBytes = bytes) });
    expect(host.crashes).toBe(0);
  } finally {
    await daemon.stop();
    await house.close();
    await host.stop();
  }
}

function unprovisioned(service: GitService): Dyno {
  return { id: '', link: { kind: 'rendezvous', host: '', service } };
}

/** Opens what the provisioner provides, and notes how it ends. */
function provisioning(provisioner: OpenrukoProvisioner, transport: Transport, ends: string[]): Transport {
  return {
    kind: transport.kind,
    capabilities: transport.capabilities,
    async open({ link }) {
      if (link.kind !== 'rendezvous') throw new Error('another kind of link');
      const grant = { app: 'app', access: 'write', lockMode: 'wait', creates: false } as const;
      const wanted = sampleSession(sampleCaller('alice'), link.service, 'app');
      const dyno = await provisioner.provision(grant, undefined, wanted, never());
      if (isRefusal(dyno)) throw new Error(dyno.kind);
      const session = await transport.open(dyno, never());
      session.exit.then(
        (exit: DynoExit) => ends.push(exit.kind === 'code' ? `exit ${exit.code}` : exit.signal),
        (error: unknown) => ends.push(isFault(error) ? `fault ${error.code}` : 'bug'),
      );
      return session;
    },
  };
}

async function workWith(bytes: Buffer): Promise<string> {
  const work = temporaryFolder('work');
  await git(work, 'init', '--quiet', '--initial-branch=main');
  writeFileSync(join(work, 'blob'), bytes);
  await git(work, 'add', 'blob');
  await git(work, 'commit', '--quiet', '--message=first');
  return work;
}

describe('git, through Openruko', () => {
  test('pushes, lists, clones, fetches shallowly, has nothing to do, and deletes: each ends as done', () =>
    inPlace(async ({ url, ended }) => {
      const work = await workWith(randomBytes(2 * MIB));
      const calls = [
        ['push', url, 'main', 'main:other'],
        ['push', url, 'main'],
        ['ls-remote', url],
        ['fetch', url, 'main'],
        ['push', '--dry-run', url, 'main:dry'],
        ['push', '--atomic', url, ':other'],
      ];
      for (const call of calls) expect(await git(work, ...call)).toMatchObject({ code: 0 });
      const clones = temporaryFolder('clones');
      expect(await git(clones, 'clone', '--quiet', url, 'whole')).toMatchObject({ code: 0 });
      expect(await git(clones, 'clone', '--quiet', '--depth=1', url, 'shallow')).toMatchObject({ code: 0 });
      await git(work, 'commit', '--quiet', '--allow-empty', '--message=second');
      expect(await git(work, 'push', url, 'main')).toMatchObject({ code: 0 });
      expect(await git(join(clones, 'whole'), 'pull', '--quiet')).toMatchObject({ code: 0 });
      expect(await git(join(clones, 'shallow'), 'fetch', '--quiet', '--unshallow')).toMatchObject({ code: 0 });
      expect(await git(join(clones, 'whole'), 'fsck', '--strict')).toMatchObject({ code: 0 });
      expect(await ended(calls.length + 5)).toEqual(Array.from({ length: calls.length + 5 }, () => 'exit 0'));
    }));

  test('clones an empty app', () =>
    inPlace(async ({ url, ended }) => {
      expect(await git(temporaryFolder('clones'), 'clone', url, 'empty')).toMatchObject({ code: 0 });
      expect(await ended(1)).toEqual(['exit 0']);
    }));

  test('shows what the hooks say, and is told when they refuse', () =>
    inPlace(async ({ url, repository, ended }) => {
      const hook = join(repository, 'hooks', 'pre-receive');
      writeFileSync(hook, '#!/bin/sh\necho "-----> Node.js app detected"\necho "no room" >&2\nexit 1\n');
      chmodSync(hook, 0o755);
      const { code, output } = await git(await workWith(Buffer.from('x')), 'push', url, 'main');
      expect(code).toBe(1);
      expect(output).toContain('remote: -----> Node.js app detected');
      expect(output).toContain('remote: no room');
      expect(output).toContain('pre-receive hook declined');
      // As git-receive-pack itself ends: the refusal is in its report.
      expect(await ended(1)).toEqual(['exit 0']);
    }));

  test('shows what a hook says behind the report, and ends as done', () =>
    inPlace(async ({ url, repository, ended }) => {
      const hook = join(repository, 'hooks', 'post-receive');
      writeFileSync(hook, '#!/bin/sh\nsleep 0.2\necho deployed\n');
      chmodSync(hook, 0o755);
      const { code, output } = await git(await workWith(Buffer.from('x')), 'push', url, 'main');
      expect(code).toBe(0);
      expect(output).toContain('remote: deployed');
      expect(await ended(1)).toEqual(['exit 0']);
    }));

  test('is never told of a success when the link is cut in the middle of a clone', () =>
    inPlace(async ({ url, ended, cutAfter }) => {
      await git(await workWith(randomBytes(MIB)), 'push', url, 'main');
      for (const bytes of [50, 2_000, 100_000, 900_000]) {
        cutAfter(bytes);
        const { code } = await git(temporaryFolder('clones'), 'clone', '--quiet', url, 'cut');
        expect(code).not.toBe(0);
      }
      expect(await ended(5)).toEqual(['exit 0', ...Array.from({ length: 4 }, () => 'fault GM_DYNO_LOST')]);
    }));
});
