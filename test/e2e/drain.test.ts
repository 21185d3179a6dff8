/** SIGTERM to the server: nothing new begins, what runs is told how long it has, and nothing is left in the end. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { Door, until, type Person } from '../support/door.js';
import { Master } from '../support/master.js';
import { needs } from '../support/programs.js';
import { dynoUserOfItsOwn, expectSound, locksOf, refOf, Remains, temporaryObjects } from '../support/remains.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const NOTICE = /^ !     This server is about to restart\. Your command has (\d+ \w+) to finish\.$/m;
const ENDED = /^ !     The time to finish is over and this server stops now\. Your command was ended;/m;

interface Scene {
  readonly door: Door;
  readonly person: Person;
  readonly remains: Remains;
  readonly folder: string;
  readonly hooks: string;
}

let scene: Scene | undefined;

afterEach(async () => {
  await scene?.door.stop();
  scene = undefined;
});

/** A door whose hook says that it has begun, and takes so long. */
async function doorWithSlowHook(seconds: number, environment: Record<string, string> = {}): Promise<Scene> {
  const hooks = temporaryFolder('hooks');
  chmodSync(hooks, 0o755);
  const script = `#!/bin/sh\ncat >/dev/null\necho 'the build begins'\nsleep ${seconds}\necho 'the build ends'\n`;
  writeFileSync(join(hooks, 'pre-receive'), script, { mode: 0o755 });
  const dynoUser = dynoUserOfItsOwn();
  const door = new Door({ GITMOUTH_HOOKS: hooks, GITMOUTH_DYNO_USER: String(dynoUser), ...environment });
  await door.start();
  const person = await door.person('ada');
  const remains = new Remains(door, dynoUser);
  scene = { door, person, remains, hooks, folder: await person.repository() };
  return scene;
}

/** A push whose hook has begun. */
async function pushing({ person, folder, remains }: Scene, env = person.environment): Promise<Running> {
  const push = new Running('git', ['push', person.url('app'), 'main'], { cwd: folder, env });
  await push.line('the build begins');
  expect(remains.processes().length).toBeGreaterThan(0);
  return push;
}

async function connectionError(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const outcome = await Promise.race([
    once(socket, 'connect').then(() => 'connected'),
    new Promise<string>((resolve) => socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))),
  ]).catch((error: NodeJS.ErrnoException) => error.code ?? '');
  socket.destroy();
  return outcome;
}

describe('a server that is told to stop', () => {
  test('refuses new connections, tells a running push, lets it finish with success, and exits with 0', async () => {
    const scene = await doorWithSlowHook(3);
    const { door, person, folder, remains } = scene;
    const push = await pushing(scene);
    try {
      door.signal('SIGTERM');
      await push.line('This server is about to restart');
      expect(await connectionError(door.port)).toBe('ECONNREFUSED');
      const { code, stderr } = await push.ended();
      expect(code).toBe(0);
      expect(NOTICE.exec(stderr)?.[1]).toBe('5 minutes');
      expect(stderr).toContain('remote: the build ends');
      expect(await door.ended()).toBe(0);
    } finally {
      await push.kill();
    }
    expect(door.events('server-draining')).toEqual([expect.objectContaining({ sessions: 1, drainMs: 300_000 })]);
    expect(door.events('server-stopped')).toHaveLength(1);
    await remains.noProcess();
    expect(locksOf(door)).toEqual([]);
    expect(temporaryObjects(door.repository('app'))).toEqual([]);
    expect(await refOf(door.repository('app'), 'refs/heads/main')).toBe(await person.must(folder, 'rev-parse', 'main'));
  });

  test('says so to balancers at once, and serves on until they have seen it', async () => {
    const delay = { GITMOUTH_DRAIN_DELAY_SECONDS: '6', GITMOUTH_HEALTH_LISTEN: '127.0.0.1:0' };
    const scene = await doorWithSlowHook(9, delay);
    const { door, person, folder } = scene;
    const health = async (path: string) => {
      const answer = await fetch(`http://${String(door.events('server-started')[0]?.['health'])}${path}`);
      return `${answer.status} ${await answer.text()}`;
    };
    expect([await health('/livez'), await health('/readyz')]).toEqual(['200 ok\n', '200 ok\n']);
    await door.cli('app', 'create', 'other', '--owner', 'ada');
    const push = await pushing(scene);
    try {
      const since = performance.now();
      door.signal('SIGTERM');
      await until(
        () => door.events('server-draining').length > 0,
        2_000,
        () => 'it does not drain',
      );
      expect(await health('/readyz')).toBe('503 draining: this server is about to stop\n');
      expect(await health('/livez')).toBe('200 ok\n');
      expect(await person.git(folder, 'ls-remote', person.url('other'))).toMatchObject({ code: 0 });
      expect(push.stderr).not.toMatch(NOTICE);

      await push.line('This server is about to restart');
      expect(performance.now() - since).toBeGreaterThan(5_900);
      expect(await connectionError(door.port)).toBe('ECONNREFUSED');
      expect(await health('/readyz')).toMatch(/^503 /);
      expect(await push.ended()).toMatchObject({ code: 0 });
      expect(await door.ended()).toBe(0);
    } finally {
      await push.kill();
    }
  });

  test('starts nothing new over a connection that is open, and says so', async () => {
    const scene = await doorWithSlowHook(6);
    const { door, person, folder } = scene;
    // The push goes over the same connection: one without any session is ended at once.
    const connection = await Master.open(person);
    const push = await pushing(scene, connection.environment);
    try {
      door.signal('SIGTERM');
      await push.line('This server is about to restart');
      const more = await connection.git(folder, 'ls-remote', person.url('app'));
      expect(more).toMatchObject({ code: 128, stderr: expect.stringContaining('starts nothing new') });
      expect(await push.ended()).toMatchObject({ code: 0 });
      expect(await door.ended()).toBe(0);
      expect(door.events('session-ended')).toContainEqual(
        expect.objectContaining({ verdict: 'refused-draining', service: 'git-upload-pack', app: 'app' }),
      );
    } finally {
      await connection.close();
      await push.kill();
    }
  });

  test('ends what takes longer than it may, says so, and exits with 0', async () => {
    const scene = await doorWithSlowHook(120, { GITMOUTH_DRAIN_SECONDS: '1' });
    const { door, person, folder, remains } = scene;
    const push = await pushing(scene);
    try {
      door.signal('SIGTERM');
      const { code, stderr } = await push.ended(30_000);
      expect(code).not.toBe(0);
      expect(NOTICE.exec(stderr)?.[1]).toBe('1 second');
      expect(stderr).toMatch(ENDED);
      expect(await door.ended()).toBe(0);
    } finally {
      await push.kill();
    }
    await remains.noProcess();
    expect(locksOf(door)).toEqual([]);

    writeFileSync(join(scene.hooks, 'pre-receive'), '#!/bin/sh\ncat >/dev/null\n', { mode: 0o755 });
    await door.start();
    expect(await person.git(folder, 'push', person.url('app'), 'main')).toMatchObject({ code: 0 });
    expect(temporaryObjects(door.repository('app'))).toEqual([]);
    await expectSound(door.repository('app'));
  });

  test('ends at once when it is told a second time, and nothing goes on', async () => {
    const scene = await doorWithSlowHook(120);
    const { door, remains } = scene;
    const push = await pushing(scene);
    try {
      door.signal('SIGTERM');
      await push.line('This server is about to restart');
      const since = performance.now();
      door.signal('SIGTERM');
      await door.ended(10_000);
      expect(performance.now() - since).toBeLessThan(5_000);
      expect((await push.ended(10_000)).code).not.toBe(0);
    } finally {
      await push.kill();
    }
    await remains.noProcess();
  });
});
