/** Who is doing what, asked by the command beside two gitmouths on one data folder. */
import { afterEach, beforeEach, expect } from '@jest/globals';
import { Door, Person } from '../support/door.js';
import { HELD, HeldBuilds } from '../support/held-builds.js';
import { Operator } from '../support/operator.js';
import { needs } from '../support/programs.js';
import { dynoUserOfItsOwn, locksOf, Remains } from '../support/remains.js';
import type { Running } from '../support/running.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

let builds: HeldBuilds;
let first: Door;
let second: Door;
let ada: Person;
let operator: Operator;
let remains: Remains;
let push: Running | undefined;

async function openBoth(): Promise<void> {
  builds = new HeldBuilds();
  const dynoUser = dynoUserOfItsOwn();
  const environment = { GITMOUTH_HOOKS: builds.folder, GITMOUTH_DYNO_USER: String(dynoUser) };
  first = new Door(environment);
  await first.start();
  second = new Door({ ...environment, GITMOUTH_DATA: first.data });
  await second.start();
  const { name, home, keyFile } = await first.person('ada');
  ada = new Person(name, home, keyFile, second);
  operator = new Operator(first);
  remains = new Remains(second, dynoUser);
}

afterEach(async () => {
  builds.release();
  await push?.kill();
  push = undefined;
  await Promise.all([first.stop(), second.stop()]);
});

async function listed(count: number): Promise<Record<string, unknown>[]> {
  for (const deadline = Date.now() + 10_000; ;) {
    const sessions = await operator.listed('sessions');
    if (sessions.length === count) return sessions;
    if (Date.now() > deadline) throw new Error(`not ${count} sessions: ${JSON.stringify(sessions)}`);
  }
}

describe('a push that one of two gitmouths serves', () => {
  beforeEach(openBoth);

  test('is listed with all there is to know, and ended by its id: the pusher is told, and nothing is left', async () => {
    expect((await first.cli('sessions')).stdout).toBe('No session is running.\n');
    await operator.refused(['sessions', 'end', 's-none'], /^gitmouth: there is no session s-none/);

    push = await builds.push(ada, await ada.repository());
    expect(remains.processes().length).toBeGreaterThan(0);
    const [session] = await listed(1);
    expect(session).toMatchObject({
      ...{ user: 'ada', app: HELD, service: 'git-receive-pack', phase: 'run', address: '127.0.0.1' },
      ...{ gitmouth: expect.stringMatching(new RegExp(`:${second.pid}$`)), since: expect.any(Number) },
      ...{ software: expect.stringMatching(/^OpenSSH/) },
    });
    expect(session?.['bytesIn']).toBeGreaterThan(100);
    const { stdout } = await first.cli('sessions');
    expect(stdout).toMatch(/^SESSION +USER +APP +SERVICE +PHASE +SINCE +IN +OUT +CLIENT +GITMOUTH\n/);
    expect(stdout.split('\n')).toHaveLength(3);

    const ended = await first.cli('sessions', 'end', String(session?.['id']), '--data', first.data);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining(`of ada (git-receive-pack on ${HELD})`) });
    const { code, stderr } = await push.ended();
    expect(code).not.toBe(0);
    expect(stderr).toContain('An operator ended your command.');
    await remains.noProcess();
    expect(locksOf(first)).toEqual([]);
    expect(await second.session({ verdict: 'ended-operator' })).toMatchObject({ session: session?.['id'] });
    expect(await operator.listed('sessions')).toEqual([]);
  });

  test('is on no list any more in the moment that this gitmouth is killed', async () => {
    push = await builds.push(ada, await ada.repository());
    await listed(1);
    second.signal('SIGKILL');
    await second.ended();
    expect(await operator.listed('sessions')).toEqual([]);
    builds.release();
    await remains.noProcess();
  });
});
