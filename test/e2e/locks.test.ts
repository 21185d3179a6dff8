/** One push at a time, by real git, over one and over several gitmouths; and what operators see of it. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { Door, Person } from '../support/door.js';
import { hold, HOLDING, holdingHooks, letGo, pushing } from '../support/held-pushes.js';
import { Operator } from '../support/operator.js';
import { needs } from '../support/programs.js';
import { refOf } from '../support/remains.js';
import type { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

describe('pushes to one app, through three gitmouths of one machine', () => {
  const data = join(temporaryFolder('locks'), 'data');
  const environment = { GITMOUTH_DATA: data, GITMOUTH_HOOKS: holdingHooks() };
  const waiting = new Door(environment);
  const superseding = new Door({ ...environment, GITMOUTH_PUSH_LOCK: 'supersede' });
  const refusing = new Door({ ...environment, GITMOUTH_PUSH_LOCK: 'refuse' });
  const doors = [waiting, superseding, refusing];
  const operator = new Operator(waiting);
  const pushes: Running[] = [];
  let ada: Person;
  let folder: string;

  beforeAll(async () => {
    for (const door of doors) await door.start();
    ada = await waiting.person('ada');
    folder = await ada.repository();
    await waiting.cli('app', 'create', 'app', '--owner', 'ada');
  });

  afterEach(async () => {
    letGo(waiting, 'app');
    for (const push of pushes.splice(0)) await push.kill();
    hold(waiting, 'app');
  });

  afterAll(async () => {
    for (const door of doors) await door.stop();
  });

  function push(door: Door, branch: string): Running {
    const person = new Person('ada', temporaryFolder('ada'), ada.keyFile, door);
    const started = pushing(person, folder, 'app', branch);
    pushes.push(started);
    return started;
  }

  test('wait their turn, and an operator sees who holds the lock and releases it', async () => {
    const first = push(waiting, 'one');
    await first.line(HOLDING);
    const second = push(waiting, 'two');
    await second.line(" !     Waiting for another push to 'app' (by ada since ");
    const [lock, ...more] = await operator.listed('lock', 'list');
    expect(more).toEqual([]);
    expect(lock).toMatchObject({ app: 'app', user: 'ada', token: expect.any(Number), session: expect.any(String) });
    expect((await waiting.cli('lock', 'list')).stdout).toMatch(
      /^APP +USER +SESSION +SINCE +FREE BY ITSELF AT\napp +ada +s-/,
    );
    const released = await waiting.cli('lock', 'release', 'app');
    expect(released).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Released the lock of app, which ada held since .* UTC\.\n$/),
      stderr: `Asked the push of ada (session ${String(lock?.['session'])}) to end; waiting until it has.\n`,
    });
    const ended = await first.ended();
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toContain(' !     An operator took the lock of this app from your push.');
    await second.line(HOLDING);
    letGo(waiting, 'app');
    expect(await second.ended()).toMatchObject({ code: 0 });
    expect(await refOf(waiting.repository('app'), 'refs/heads/one')).toBe('');
    expect(await refOf(waiting.repository('app'), 'refs/heads/two')).not.toBe('');
    expect((await waiting.cli('lock', 'list')).stdout).toBe('No lock is held.\n');
    await operator.refused(['lock', 'release', 'app'], /nobody holds the lock of 'app'/);
  });

  test('take the place of another where the setting says so', async () => {
    const first = push(waiting, 'three');
    await first.line(HOLDING);
    const second = push(superseding, 'four');
    await second.line(" !     Ending another push to 'app' (by ada since ");
    const ended = await first.ended();
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toContain(' !     A newer push to this app took the place of yours. Your command was ended.');
    await second.line(HOLDING);
    letGo(waiting, 'app');
    expect(await second.ended()).toMatchObject({ code: 0 });
    expect(await refOf(waiting.repository('app'), 'refs/heads/three')).toBe('');
  });

  test('are refused at once where the setting says so, while who reads never waits', async () => {
    const first = push(waiting, 'five');
    await first.line(HOLDING);
    const second = await push(refusing, 'six').ended();
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain(" !     Another push to 'app' is running, by ada since ");
    expect(await ada.git(folder, 'ls-remote', ada.url('app'))).toMatchObject({ code: 0 });
    letGo(waiting, 'app');
    expect(await first.ended()).toMatchObject({ code: 0 });
  });
});
