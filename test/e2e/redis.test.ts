/** A gitmouth whose Redis is away, comes back, and goes again while somebody pushes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, until, type Person } from '../support/door.js';
import { hold, HOLDING, holdingHooks, letGo, makeDeaf, pushing } from '../support/held-pushes.js';
import { Operator } from '../support/operator.js';
import { needs } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';
import { dynoUserOfItsOwn, Remains } from '../support/remains.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'redis-server', 'redis-cli');

const LEASE_SECONDS = 5;
const FAULT = ' !     The lock of this app could not be taken or kept.';
/** A lease with so much left was renewed a moment ago, and is not renewed again before much of it is gone. */
const FRESH_MS = LEASE_SECONDS * 1000 - 400;
/** What two seconds of waiting for an answer become with ssh and git around them, on a busy machine. */
const QUICKLY_MS = 8_000;

describe('a gitmouth with a Redis', () => {
  let redis: RedisServer;
  let remains: Remains;
  let door: Door;
  let operator: Operator;
  let ada: Person;
  let folder: string;

  beforeAll(async () => {
    redis = await RedisServer.start();
    await redis.stop();
    const dynoUser = dynoUserOfItsOwn();
    door = new Door({
      GITMOUTH_HOOKS: holdingHooks(),
      GITMOUTH_DYNO_USER: String(dynoUser),
      GITMOUTH_LOCK_LEASE_SECONDS: String(LEASE_SECONDS),
      // A Redis without passwords takes any from its default user; none must be shown.
      GITMOUTH_STATE: redis.url.replace('//', '//:hush-hush@'),
    });
    operator = new Operator(door);
    remains = new Remains(door, dynoUser);
    await door.start();
    ada = await door.person('ada');
    folder = await ada.repository();
  });

  afterAll(async () => {
    await door.stop();
    await redis.stop('SIGKILL');
  });

  const problems = () => door.events('problem').filter(({ message }) => String(message).includes('out of reach'));
  const push = (branch: string) => ada.git(folder, 'push', '-q', ada.url('app'), `HEAD:refs/heads/${branch}`);
  const read = () => ada.git(folder, 'ls-remote', ada.url('app'));

  async function refusedQuickly(): Promise<void> {
    const begun = performance.now();
    const { code, stderr } = await push('away');
    expect(code).not.toBe(0);
    expect(stderr).toContain(FAULT);
    expect(performance.now() - begun).toBeLessThan(QUICKLY_MS);
  }

  test('starts without it and says so once; pushes are refused as a fault, and so are the commands that lock', async () => {
    expect(problems()).toHaveLength(1);
    await refusedQuickly();
    await operator.refused(['lock', 'list'], /redis:\/\/127\.0\.0\.1:\d+ is out of reach: .*ECONNREFUSED/);
    await operator.refused(['app', 'create', 'app', '--owner', 'ada'], /Redis did not answer/);
    const { code, stdout } = await door.cli('doctor', '--listen', '127.0.0.1:0');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^PROBLEM state: redis:\/\/127\.0\.0\.1:\d+ does not answer: .*ECONNREFUSED/m);
  });

  test('works as soon as it is there', async () => {
    await redis.resume();
    await untilItLocks();
    expect(await door.cli('app', 'create', 'app', '--owner', 'ada')).toMatchObject({ code: 0 });
    letGo(door, 'app');
    expect(await push('one')).toMatchObject({ code: 0 });
    const { stdout } = await door.cli('doctor', '--listen', '127.0.0.1:0');
    expect(stdout).toMatch(/^ok {6}state: redis:\/\/127\.0\.0\.1:\d+ answers$/m);
    expect(await operator.listed('lock', 'list')).toEqual([]);
  });

  test.each(['SIGSTOP', 'SIGKILL'] as const)(
    'that goes by %s ends the push that runs before its lease runs out; readers go on, and all is well when it is back',
    async (signal) => {
      hold(door, 'app');
      makeDeaf(door, 'app');
      const running = pushing(ada, folder, 'app', 'lost');
      await running.line(HOLDING);
      expect(await operator.listed('lock', 'list')).toHaveLength(1);
      await until(
        () => remains.processes().some(({ state, command }) => state === 'T' && command.includes('receive-pack')),
        10_000,
        () => 'its git goes on',
      );
      const endsAt = await freshLeaseEnd();
      if (signal === 'SIGSTOP') redis.signal('SIGSTOP');
      else await redis.stop('SIGKILL');
      await remains.noProcess();
      expect(Date.now()).toBeLessThan(endsAt);
      const ended = await running.ended();
      expect(ended.code).not.toBe(0);
      expect(ended.stderr).toContain(
        ' !     The lock of this app was lost. Your command was ended so that no two pushes run at once; run it again.\n',
      );
      expect(door.events('session-ended').at(-1)).toMatchObject({ verdict: 'ended-lease-lost' });
      expect(await read()).toMatchObject({ code: 0, stdout: expect.not.stringContaining('refs/heads/lost') });
      await refusedQuickly();
      letGo(door, 'app');
      if (signal === 'SIGSTOP') redis.signal('SIGCONT');
      else await redis.resume();
      await untilItLocks();
      expect(await push(signal.toLowerCase())).toMatchObject({ code: 0 });
      expect(await operator.listed('lock', 'list')).toEqual([]);
    },
  );

  test('shows its password nowhere', async () => {
    const said = [door.log, door.said];
    said.push((await door.cli('doctor')).stdout, JSON.stringify(problems()));
    for (const text of said) expect(text).not.toContain('hush');
  });

  async function untilItLocks(): Promise<void> {
    for (let tries = 0; (await door.cli('lock', 'list')).code !== 0; tries++) expect(tries).toBeLessThan(20);
    // The server itself tries again every half second.
    await sleep(1_200);
  }

  /** When the lease ends that is renewed no more from now on, in milliseconds since the epoch. */
  async function freshLeaseEnd(): Promise<number> {
    for (const deadline = Date.now() + 10_000; ;) {
      const endsAt = redis.endOf('gitmouth:lock:{app}');
      if (endsAt !== undefined && endsAt - Date.now() > FRESH_MS) return endsAt;
      if (Date.now() > deadline) throw new Error(`the lease is not renewed; it ends at ${endsAt}`);
      await sleep(20);
    }
  }
});
