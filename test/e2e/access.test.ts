/** Who may do what, from when on, and what the others are told. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { Door, type Person, type Result } from '../support/door.js';
import { Master } from '../support/master.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');
const FLUSH = '0000';

describe('access', () => {
  let door: Door;
  let alice: Person;
  let bob: Person;

  beforeAll(async () => {
    door = new Door({ GITMOUTH_PENALTIES: 'off' });
    await door.start();
    alice = await door.person('alice');
    bob = await door.person('bob');
  });

  afterAll(() => door.stop());

  async function pushed(app: string): Promise<string> {
    const work = await alice.repository();
    await alice.must(work, 'remote', 'add', 'origin', alice.url(app));
    await alice.must(work, 'push', '--quiet', 'origin', 'main');
    return work;
  }

  function clone(person: Person, app: string): Promise<Result> {
    return person.git('/', 'clone', '--quiet', person.url(app), join(temporaryFolder('clone'), 'it'));
  }

  async function operator(...command: string[]): Promise<void> {
    const { code, stderr } = await door.cli(...command);
    if (code !== 0) throw new Error(stderr);
  }

  test("is not given to a stranger's key", async () => {
    const stranger = await door.person('stranger', { isStranger: true });
    const { code, stderr } = await stranger.ssh([]);
    expect(code).toBe(255);
    expect(stderr).toContain('Permission denied (publickey)');
    const { code: status, stderr: words } = await stranger.git('/', 'ls-remote', stranger.url('anything'));
    expect(status).toBe(128);
    expect(words).toContain('Permission denied (publickey)');
    expect(door.events('session-ended').filter(({ user }) => user === 'stranger')).toEqual([]);
  });

  test('is not given to whose app it is not, who is told what to do', async () => {
    const work = await pushed('private');
    const before = await door.inRepository('private', 'rev-parse', 'main');
    const read = await clone(bob, 'private');
    expect(read.code).toBe(128);
    expect(read.stderr).toContain(" !     You may not fetch from 'private', or there is no such app.\n");
    expect(read.stderr).toContain(' !     Check the name; for access ask the owner of the app to share it with you.\n');
    await alice.commit(work, { more: 'of it' });
    const write = await bob.git(work, 'push', '--force', bob.url('private'), 'main');
    expect(write.code).not.toBe(0);
    expect(write.stderr).toContain(" !     You may not push to 'private', or there is no such app.\n");
    expect(await door.inRepository('private', 'rev-parse', 'main')).toBe(before);
    expect(await door.session({ user: 'bob', service: 'git-receive-pack' })).toMatchObject({
      verdict: 'refused-no-access',
      exit: 1,
    });
  });

  test('to an app that is forbidden and to one that is missing is refused in the same words', async () => {
    await pushed('hidden');
    for (const service of ['git-upload-pack', 'git-upload-archive']) {
      const answers = await Promise.all(
        ['hidden', 'absent'].map((app) => bob.ssh([`${service} '${app}.git'`], { input: FLUSH })),
      );
      const [hidden, absent] = answers.map(({ stderr, ...rest }) => ({
        ...rest,
        stderr: stderr.replace(/'(hidden|absent)'/, "'…'").replace(/Session \S+/, 'Session …'),
      }));
      expect(hidden).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining("'…', or there is no such"),
      });
      expect(absent).toEqual(hidden);
    }
  });

  test('to an app that is forbidden and to one that is missing is refused in about the same time', async () => {
    await pushed('timed-hidden');
    const client = new ssh2.Client();
    const ready = once(client, 'ready');
    const privateKey = readFileSync(bob.keyFile);
    // Otherwise the client's own waiting for acknowledgements is all that is measured.
    const sock = connect({ host: '127.0.0.1', port: door.port, noDelay: true });
    client.connect({ sock, username: 'git', privateKey });
    try {
      await ready;
      const timesMs = { 'timed-hidden': [] as number[], 'timed-absent': [] as number[] };
      for (let round = -3; round < 30; round += 1) {
        for (const app of ['timed-hidden', 'timed-absent'] as const) {
          const tookMs = await timeOf(client, `git-upload-pack '${app}.git'`);
          if (round >= 0) timesMs[app].push(tookMs);
        }
      }
      const [hiddenMs, absentMs] = [median(timesMs['timed-hidden']), median(timesMs['timed-absent'])];
      expect({ hiddenMs, absentMs, isAlike: hiddenMs < 2 * absentMs && absentMs < 2 * hiddenMs }).toMatchObject({
        isAlike: true,
      });
    } finally {
      client.end();
    }
  });

  test('to read is given by a share, and to push by another', async () => {
    const work = await pushed('shared');
    await operator('app', 'share', 'shared', 'bob');
    expect(await clone(bob, 'shared')).toMatchObject({ code: 0 });
    await bob.commit(work, { 'from-bob': 'hello' });
    const refused = await bob.git(work, 'push', bob.url('shared'), 'main');
    expect(refused.stderr).toContain(" !     You may not push to 'shared', or there is no such app.\n");
    await operator('app', 'share', 'shared', 'bob', '--access', 'write');
    expect(await bob.git(work, 'push', bob.url('shared'), 'main')).toMatchObject({ code: 0 });
    expect(await door.inRepository('shared', 'show', 'main:from-bob')).toBe('hello');
  });

  test('ends with the share, at the next request over an open connection', async () => {
    await pushed('unshared');
    await operator('app', 'share', 'unshared', 'bob');
    const master = await Master.open(bob);
    try {
      expect(await master.git('/', 'ls-remote', bob.url('unshared'))).toMatchObject({ code: 0 });
      await operator('app', 'unshare', 'unshared', 'bob');
      const refused = await master.git('/', 'ls-remote', bob.url('unshared'));
      expect(refused.code).toBe(128);
      expect(refused.stderr).toContain("You may not fetch from 'unshared', or there is no such app.");
      await operator('app', 'share', 'unshared', 'bob');
      expect(await master.git('/', 'ls-remote', bob.url('unshared'))).toMatchObject({ code: 0 });
      const connections = new Set(
        door
          .events('session-ended')
          .flatMap((line) => (line['app'] === 'unshared' && line['user'] === 'bob' ? line['connection'] : [])),
      );
      expect(connections.size).toBe(1);
    } finally {
      await master.close();
    }
  });
});

/** From the request to its last word, over a connection that is open. */
async function timeOf(client: ssh2.Client, command: string): Promise<number> {
  const from = performance.now();
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
    client.exec(command, (error, opened) => {
      if (error) reject(error);
      else resolve(opened);
    });
  });
  channel.resume();
  channel.stderr.resume();
  await once(channel, 'close');
  return performance.now() - from;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}
