/** Silence, signals and clients that do not read: under the real clock, with limits of seconds. */
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, execute, until, type Person } from '../support/door.js';
import { expectInTime, servedMs } from '../support/in-time.js';
import { descendantsOf } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { dynoUserOfItsOwn, Remains, temporaryObjects } from '../support/remains.js';
import { Running } from '../support/running.js';
import { packet, SlowClient } from '../support/slow-client.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const MIB = 1024 ** 2;
/** More than all windows, queues and pipes on the way hold. */
const LARGE = 24 * MIB;
const STALL_PAUSE_MS = 1_000;
const STALL_MS = 3_000;

describe('a server with short limits', () => {
  const dynoUser = dynoUserOfItsOwn();
  const hooks = temporaryFolder('hooks');
  const door = new Door({
    GITMOUTH_DYNO_USER: String(dynoUser),
    GITMOUTH_HOOKS: hooks,
    GITMOUTH_STALL_PAUSE_SECONDS: String(STALL_PAUSE_MS / 1000),
    GITMOUTH_STALL_SECONDS: String(STALL_MS / 1000),
    GITMOUTH_SILENCE_NOTICE_SECONDS: '1',
    GITMOUTH_KEEPALIVE_SECONDS: '1',
    GITMOUTH_KEEPALIVE_MISSES: '2',
    GITMOUTH_IDLE_SECONDS: '1',
    GITMOUTH_UNREAD_SECONDS: '2',
  });
  const remains = new Remains(door, dynoUser);
  let person: Person;
  let folder: string;
  let tip: string;

  beforeAll(async () => {
    chmodSync(hooks, 0o755);
    hook('exit 0');
    await door.start();
    person = await door.person('ada');
    folder = await person.repository();
    await person.must(folder, 'push', '-q', person.url('small'), 'main');
    writeFileSync(join(folder, 'bytes'), randomBytes(LARGE));
    await person.commit(folder, {});
    await person.must(folder, 'push', '-q', person.url('large'), 'main');
    tip = await person.must(folder, 'rev-parse', 'main');
  });

  afterAll(() => door.stop());

  function hook(script: string): void {
    writeFileSync(join(hooks, 'pre-receive'), `#!/bin/sh\ncat >/dev/null\n${script}\n`, { mode: 0o755 });
  }

  async function pushAfter(script: string): Promise<Running> {
    hook(script);
    await person.commit(folder, { 'README.md': randomBytes(8).toString('hex') });
    return new Running('git', ['push', person.url('large'), 'main'], { cwd: folder, env: person.environment });
  }

  /** Of the dyno: bubblewrap and its namespace's first process are not in it. */
  function inDyno() {
    return descendantsOf(door.pid).filter(({ command }) => !/^(\S*\/)?(bwrap|setpriv|unshare) /.test(command));
  }

  function processorTime(): number {
    const times = inDyno().flatMap(({ pid }) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      return stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 15);
    });
    return times.reduce((sum, ticks) => sum + Number(ticks), 0);
  }

  /** A fetch of all, that stops reading in the middle of it. */
  async function stalledFetch(): Promise<SlowClient> {
    const client = await SlowClient.exec(door, person, "git-upload-pack 'large.git'");
    await client.advertised();
    const advertised = client.length;
    client.write(`${packet(`want ${tip} ofs-delta agent=slow\n`)}0000${packet('done\n')}`);
    await until(
      () => client.length > advertised + MIB,
      20_000,
      () => 'the pack does not come',
    );
    client.pause();
    return client;
  }

  async function expectStopped(): Promise<void> {
    await until(
      () => inDyno().length > 0 && inDyno().every(({ state }) => state === 'T'),
      STALL_PAUSE_MS + 2_000,
      () =>
        inDyno()
          .map(({ state, command }) => `${state} ${command}`)
          .join('\n'),
    );
  }

  test('a hook that is silent for longer than every limit is told of, and its push is done', async () => {
    const push = await pushAfter('sleep 4');
    const { code, stderr } = await push.ended();
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const told = [
      ...stderr.matchAll(/^ !     Still running: nothing came from git or its hooks for (\d) seconds?…$/gm),
    ];
    expect(told.map(([, seconds]) => Number(seconds)).slice(0, 3)).toEqual([1, 2, 3]);
    await remains.noProcess();
  });

  test('a client that is silent before its first byte is not cut', async () => {
    const client = await SlowClient.exec(door, person, "git-upload-pack 'small.git'");
    await client.advertised();
    await sleep(2_500);
    client.write('0000');
    await client.ended();
    expect(client.exit).toBe(0);
    await client.leave();
  });

  test('a client that answers no keepalive is cut, and its dyno ends', async () => {
    const push = await pushAfter("echo 'the hook begins'; sleep 60");
    await push.line('the hook begins');
    const clients = [push.pid, ...descendantsOf(push.pid).map(({ pid }) => pid)];
    expect(inDyno().length).toBeGreaterThan(0);
    for (const pid of clients) process.kill(pid, 'SIGSTOP');
    try {
      await remains.noProcess();
      await door.session({ app: 'large', verdict: 'ended-client-left' });
      await until(
        () => door.events('connection-closed').some(({ reason }) => reason === 'keepalive-timeout'),
        10_000,
        () => 'nobody was cut for leaving keepalives unanswered',
      );
    } finally {
      await push.kill();
    }
  });

  test('one that stops reading has every process of its dyno stopped, and gets every byte when it reads on', async () => {
    const client = await stalledFetch();
    await expectStopped();
    const [before, members] = [processorTime(), inDyno().map(({ pid }) => pid)];
    await sleep(700);
    expect(inDyno().map(({ pid }) => pid)).toEqual(members);
    expect(processorTime()).toBe(before);
    client.resume();
    await client.ended();
    expect(client.exit).toBe(0);
    const nak = client.stdout.indexOf('0008NAK\n');
    const pack = client.stdout.subarray(nak + 8);
    const clone = temporaryFolder('clone');
    execFileSync('git', ['init', '--quiet', '--bare', clone]);
    // Checks the sum over the whole pack, and that nothing is missing that the commit needs.
    execFileSync('git', ['-C', clone, 'index-pack', '--stdin', '--strict', '--fsck-objects'], {
      input: pack,
      stdio: 'pipe',
    });
    const { stdout } = await execute('git', ['-C', clone, 'cat-file', '-s', `${tip}:bytes`]);
    expect(Number(stdout)).toBe(LARGE);
    await client.leave();
    await remains.noProcess();
  });

  test('one that never reads on is ended, with its dyno', async () => {
    const client = await stalledFetch();
    const since = Date.now();
    await expectStopped();
    // What was under way before still came, and filled the windows.
    const vaguenessMs = Math.max(0, client.fedAt - since);
    await remains.noProcess();
    const session = await door.session({ app: 'large', verdict: 'ended-stalled' });
    const begun = Date.parse(String(session['time'])) - Number(session['durationMs']);
    const endedMs = begun + servedMs(session) - since;
    expectInTime(endedMs, STALL_MS, vaguenessMs);
    client.resume();
    await client.leave();
  });

  test.each(['TERM', 'KILL', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'])(
    '%s of a client reaches git, and its death is told as that signal',
    async (name) => {
      const client = await SlowClient.exec(door, person, "git-upload-pack 'small.git'");
      await client.advertised();
      client.signal(name);
      await client.ended();
      expect(client.exit).toBe(name);
      await door.session({ app: 'small', verdict: `signal-${name}` });
      await client.leave();
    },
  );

  test('other signals are refused, and the session goes on', async () => {
    const client = await SlowClient.exec(door, person, "git-upload-pack 'small.git'");
    await client.advertised();
    for (const name of ['ABRT', 'ALRM', 'FPE', 'ILL', 'PIPE', 'SEGV']) client.signal(name);
    await sleep(300);
    expect(client.isClosed).toBe(false);
    client.write('0000');
    await client.ended();
    expect(client.exit).toBe(0);
    await client.leave();
  });

  test('a git that a hook has killed is told as killed', async () => {
    const push = await pushAfter('kill -KILL $PPID; sleep 1');
    expect((await push.ended()).code).not.toBe(0);
    expect(await door.session({ app: 'large', verdict: 'signal-KILL' })).toMatchObject({ exit: 'KILL' });
    hook('exit 0');
    expect(await person.git(folder, 'push', person.url('large'), 'main')).toMatchObject({ code: 0 });
    expect(temporaryObjects(door.repository('large'))).toEqual([]);
  });
});
