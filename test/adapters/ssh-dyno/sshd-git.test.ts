/** Real git clients, through gitmouth's own door, to real git in a dyno behind OpenSSH's server. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { bridge } from '../../../src/app/bridge.js';
import { isFault } from '../../../src/domain/fault.js';
import { parseGitCommand } from '../../../src/domain/git-request.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import { never } from '../../../src/contracts/contract.js';
import { execute, type Result } from '../../support/door.js';
import { CutWire } from '../../support/cut-wire.js';
import { needs } from '../../support/programs.js';
import { Sshd } from '../../support/ssh-dyno/sshd.js';
import { temporaryFolder } from '../../support/temporary.js';
import { makePair, openGround, type Ground, type Request } from '../ssh2/ground.js';
import { clientKey, dynoAt, transportWith } from './ground.js';

const { describe, test } = needs('sshd', 'bwrap', 'git', 'ssh');

const KIB = 1024;
const alice = makePair();
let sshd: Sshd;
/** How the dyno is reached. */
let way: { readonly port: number; readonly hostKey: string };
let ground: Ground;
let home: string;
let repository: string;
/** How each session ended, in order. */
let ends: string[];

/** As gitmouth serves a session, for the one repository there is. */
async function serve({ ask, channel }: Request): Promise<void> {
  if (ask.kind !== 'command') throw new Error('no command');
  const command = parseGitCommand(ask.command);
  if (isRefusal(command)) throw new Error(command.kind);
  const environment = {
    GITMOUTH_USER: 'alice',
    ...(ask.gitProtocol === undefined ? {} : { GIT_PROTOCOL: ask.gitProtocol }),
  };
  const plan = { service: command.service, environment };
  const target = command.app === 'missing' ? '/nowhere.git' : repository;
  const session = await transportWith().open(dynoAt(way, { repository: target, plan }), never());
  try {
    const exit = await bridge(channel, session, { bytesIn: 0, bytesOut: 0 }, channel.gone);
    ends.push(exit.kind === 'code' ? `exit ${exit.code}` : `signal ${exit.signal}`);
    await channel.finish({ words: '', exit: exit.kind === 'code' ? { code: exit.code } : { signal: exit.signal } });
  } catch (error) {
    ends.push(isFault(error) ? `fault ${error.code}` : 'departure');
    await channel.finish({ words: 'the dyno was lost\n', exit: { code: 127 } });
  } finally {
    await session.close();
  }
}

const url = (app = 'app') => `ssh://git@127.0.0.1:${ground.port}/${app}.git`;

function environment(): Record<string, string> {
  const ssh = ['ssh', '-F', '/dev/null', '-i', join(home, 'key'), '-o', 'StrictHostKeyChecking=no'];
  const quiet = ['-o', `UserKnownHostsFile=${join(home, 'known')}`, '-o', 'IdentityAgent=none', '-o', 'LogLevel=ERROR'];
  return { HOME: home, GIT_SSH_COMMAND: [...ssh, ...quiet].join(' '), GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C.UTF-8' };
}

function git(folder: string, ...args: readonly string[]): Promise<Result> {
  const identity = ['-c', 'user.name=alice', '-c', 'user.email=alice@example.com'];
  return execute('git', [...identity, '-C', folder, ...args], { env: environment() });
}

async function work(bytes: Buffer = Buffer.from('hello\n')): Promise<string> {
  const folder = temporaryFolder('work');
  await git(folder, 'init', '--quiet', '--initial-branch=main');
  writeFileSync(join(folder, 'file'), bytes);
  await git(folder, 'add', 'file');
  await git(folder, 'commit', '--quiet', '--message=first');
  return folder;
}

function hook(name: string, ...lines: readonly string[]): void {
  mkdirSync(join(repository, 'hooks'), { recursive: true });
  writeFileSync(join(repository, 'hooks', name), ['#!/bin/sh', ...lines, ''].join('\n'));
  chmodSync(join(repository, 'hooks', name), 0o755);
}

const startSshd = () => Sshd.start(clientKey().publicKey, { acceptEnv: 'GIT_PROTOCOL GITMOUTH_*' });

describe('git, through dynos over SSH', () => {
  beforeAll(async () => {
    home = temporaryFolder('home');
    writeFileSync(join(home, 'key'), alice.privateKey, { mode: 0o600 });
    way = sshd = await startSshd();
    ground = await openGround();
    ground.gateway.platform.register('alice', alice.publicKey);
    ground.gateway.command = serve;
  });
  afterAll(async () => {
    await ground.close();
    await sshd.stop();
  });
  beforeEach(async () => {
    ends = [];
    repository = join(temporaryFolder('app'), 'app.git');
    await execute('git', ['init', '--quiet', '--bare', '--initial-branch=main', repository], { env: environment() });
  });
  afterEach(() => {
    expect(ends.length).toBeGreaterThan(0);
  });

  test('pushes, clones and fetches by protocol 2, and hooks know who pushed and are heard', async () => {
    hook('post-receive', 'echo "$GITMOUTH_USER pushed"', 'echo deployed >&2');
    const folder = await work(randomBytes(64 * KIB));
    const push = await git(folder, 'push', url(), 'main');
    expect(push).toMatchObject({ code: 0 });
    expect(push.stderr).toContain('remote: alice pushed');
    expect(push.stderr).toContain('remote: deployed');
    const clones = temporaryFolder('clones');
    const traced = await execute('git', ['-C', clones, 'clone', url(), 'clone'], {
      env: { ...environment(), GIT_TRACE_PACKET: '1' },
    });
    expect(traced).toMatchObject({ code: 0 });
    expect(traced.stderr).toContain('clone< version 2');
    expect(await git(join(clones, 'clone'), 'fsck', '--strict')).toMatchObject({ code: 0 });
    await git(folder, 'commit', '--quiet', '--allow-empty', '--message=second');
    expect(await git(folder, 'push', url(), 'main')).toMatchObject({ code: 0 });
    expect(await git(join(clones, 'clone'), 'pull', '--quiet')).toMatchObject({ code: 0 });
    expect(ends).toEqual(['exit 0', 'exit 0', 'exit 0', 'exit 0']);
  });

  test('is told when a hook refuses', async () => {
    hook('pre-receive', 'echo "no room" >&2', 'exit 1');
    const { code, stderr } = await git(await work(), 'push', url(), 'main');
    expect([code, stderr]).toEqual([1, expect.stringContaining('remote: no room')]);
    expect(stderr).toContain('pre-receive hook declined');
    // As git-receive-pack itself ends: the refusal is in its report.
    expect(ends).toEqual(['exit 0']);
  });

  test("hears git's own words on standard error, with its status", async () => {
    const { code, stderr } = await git(temporaryFolder('clones'), 'clone', url('missing'), 'x');
    expect([code, stderr]).toEqual([
      128,
      expect.stringContaining("'/nowhere.git' does not appear to be a git repository"),
    ]);
    expect(ends).toEqual(['exit 128']);
  });

  test('is never told of a success when the dyno goes in the middle of a pack, and is served when it is back', async () => {
    const folder = await work(randomBytes(512 * KIB));
    expect(await git(folder, 'push', url(), 'main')).toMatchObject({ code: 0 });
    const wire = await CutWire.to(sshd);
    let stopped: Promise<void> | undefined;
    wire.cutAt('down', 256 * KIB, () => {
      stopped = sshd.stop();
    });
    way = { port: wire.port, hostKey: sshd.hostKey };
    const clones = temporaryFolder('clones');
    const cut = await git(clones, 'clone', url(), 'cut');
    await stopped;
    await wire.close();
    way = sshd = await startSshd();
    expect(cut.code).not.toBe(0);
    expect(cut.stderr).toContain('the dyno was lost');
    expect(ends).toEqual(['exit 0', 'fault GM_DYNO_LOST']);
    expect(await git(clones, 'clone', '--quiet', url(), 'whole')).toMatchObject({ code: 0 });
    expect(await git(join(clones, 'whole'), 'fsck', '--strict')).toMatchObject({ code: 0 });
  });
});
