/** Clients and servers that are gone in the middle of something: the repository is sound, and nothing is left. */
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { DEPARTURES, leave, type Departure } from '../support/aborting-client.js';
import { CutWire, type Direction } from '../support/cut-wire.js';
import { Door, until, type Person } from '../support/door.js';
import { figure, mebibytes } from '../support/figures.js';
import { descriptorsOf, median, residentBytes } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { dynoUserOfItsOwn, expectSound, locksOf, refOf, Remains, temporaryObjects } from '../support/remains.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const MIB = 1024 ** 2;
const LIMIT_MS = IS_SOAK ? 1_800_000 : 300_000;

/** Up to the log-in by bytes, which are the same each time; then by parts of the whole. */
const OFFSETS = {
  bytes: [1, 30, 900, 2_500],
  parts: IS_SOAK ? Array.from({ length: 40 }, (_, n) => (n + 1) / 41) : [0.1, 0.35, 0.6, 0.85, 0.99],
};

describe('a client that is killed', () => {
  const dynoUser = dynoUserOfItsOwn();
  const door = new Door({ GITMOUTH_DYNO_USER: String(dynoUser) });
  const remains = new Remains(door, dynoUser);
  let person: Person;
  let folder: string;
  let wire: CutWire;

  beforeAll(async () => {
    await door.start();
    person = await door.person('ada');
    folder = await person.repository();
    await person.must(folder, 'push', '-q', person.url('app'), 'main');
    await addBytes(MIB);
    await person.must(folder, 'push', '-q', person.url('app'), 'main');
    await remains.noProcess();
    remains.mark();
  });

  afterAll(() => door.stop());

  beforeEach(async () => {
    wire = await CutWire.to(door);
  });

  afterEach(() => wire.close());

  /** Of a kind that git can't make smaller. */
  function addBytes(count: number): Promise<void> {
    writeFileSync(join(folder, 'bytes'), randomBytes(count));
    return person.commit(folder, {});
  }

  /** Kills git and ssh with it after so many bytes of the direction; returns how many bytes it took in all. */
  async function killedAfter(direction: Direction, atByte: number, args: readonly string[]): Promise<number> {
    const git = new Running('git', args, { cwd: folder, env: wire.environment(person) });
    const before = wire.passed[direction];
    wire.cutAt(direction, before + atByte, () => void git.kill());
    await git.ended();
    return wire.passed[direction] - before;
  }

  async function expectNothingLeft(): Promise<void> {
    await remains.settled();
    await expectSound(door.repository('app'));
  }

  test(
    'in the middle of a push leaves the ref old or new, and nothing else',
    async () => {
      const moves: string[] = [];
      await addBytes(MIB);
      const whole = await killedAfter('up', Infinity, ['push', wire.url('app'), 'main']);
      expect(whole).toBeGreaterThan(MIB);
      await addBytes(MIB);
      for (const atByte of [...OFFSETS.bytes, ...OFFSETS.parts.map((part) => Math.floor(part * whole))]) {
        const [old, tip] = [
          await refOf(door.repository('app'), 'refs/heads/main'),
          await person.must(folder, 'rev-parse', 'main'),
        ];
        expect(await killedAfter('up', atByte, ['push', wire.url('app'), 'main'])).toBe(atByte);
        await expectNothingLeft();
        const now = await refOf(door.repository('app'), 'refs/heads/main');
        expect([old, tip]).toContain(now);
        moves.push(now === old ? 'old' : 'new');
        if (now === tip) await addBytes(MIB);
      }
      expect(moves).toContain('old');
      figure(
        `pushes killed at ${moves.length} places: refs old and new`,
        `${count(moves, 'old')} and ${count(moves, 'new')}`,
      );
      await person.must(folder, 'push', '-q', person.url('app'), 'main');
      expect(temporaryObjects(door.repository('app'))).toEqual([]);
      await expectNothingLeft();
    },
    LIMIT_MS,
  );

  test(
    'in the middle of a clone leaves nothing',
    async () => {
      const clone = () => ['clone', '-q', wire.url('app'), join(temporaryFolder('clone'), 'it')];
      const whole = await killedAfter('down', Infinity, clone());
      expect(whole).toBeGreaterThan(MIB);
      for (const atByte of [...OFFSETS.bytes, ...OFFSETS.parts.map((part) => Math.floor(part * whole))]) {
        expect(await killedAfter('down', atByte, clone())).toBe(atByte);
        await expectNothingLeft();
      }
      const { code } = await person.git(folder, 'clone', '-q', person.url('app'), join(temporaryFolder('clone'), 'it'));
      expect(code).toBe(0);
    },
    LIMIT_MS,
  );
});

describe('in the middle of a push', () => {
  const dynoUser = dynoUserOfItsOwn();
  const hooks = temporaryFolder('hooks');
  const door = new Door({ GITMOUTH_DYNO_USER: String(dynoUser), GITMOUTH_HOOKS: hooks });
  const remains = new Remains(door, dynoUser);
  let person: Person;
  let folder: string;

  beforeAll(async () => {
    chmodSync(hooks, 0o755);
    writeFileSync(join(hooks, 'pre-receive'), '#!/bin/sh\ncat >/dev/null\n', { mode: 0o755 });
    await door.start();
    person = await door.person('ada');
    folder = await person.repository();
    await person.must(folder, 'push', '-q', person.url('app'), 'main');
  });

  afterAll(() => door.stop());

  /** A push that is held up by its hook, once it has begun. */
  async function heldUp(first = ''): Promise<Running> {
    const hook = `#!/bin/sh\n${first}\ncat >/dev/null\necho 'the hook begins'\nsleep 120\n`;
    writeFileSync(join(hooks, 'pre-receive'), hook, { mode: 0o755 });
    await person.commit(folder, { 'README.md': randomBytes(8).toString('hex') });
    const push = new Running('git', ['push', person.url('app'), 'main'], { cwd: folder, env: person.environment });
    await push.line('the hook begins');
    writeFileSync(join(hooks, 'pre-receive'), '#!/bin/sh\ncat >/dev/null\n', { mode: 0o755 });
    return push;
  }

  async function expectNextPushClearsUp(): Promise<void> {
    expect(await person.git(folder, 'push', person.url('app'), 'main')).toMatchObject({ code: 0 });
    expect(temporaryObjects(door.repository('app'))).toEqual([]);
    await expectSound(door.repository('app'));
    expect(await refOf(door.repository('app'), 'refs/heads/main')).toBe(await person.must(folder, 'rev-parse', 'main'));
  }

  test.each([
    ['hook', ''],
    ['hook that ignores signals', `trap '' HUP INT PIPE TERM`],
  ])('a client that is killed takes its %s along', async (_, first) => {
    const before = await refOf(door.repository('app'), 'refs/heads/main');
    const push = await heldUp(first);
    expect(remains.processes().length).toBeGreaterThan(0);
    await push.kill();
    await remains.noProcess();
    expect(await refOf(door.repository('app'), 'refs/heads/main')).toBe(before);
    await expectNextPushClearsUp();
  });

  test('a git that is killed in its dyno is no success, and what it leaves goes with the next push', async () => {
    const push = await heldUp();
    try {
      for (const { pid, command } of remains.processes())
        if (/^git .*receive-pack/.test(command)) process.kill(pid, 'SIGKILL');
      expect((await push.ended()).code).not.toBe(0);
    } finally {
      await push.kill();
    }
    await remains.noProcess();
    expect(temporaryObjects(door.repository('app'))).not.toEqual([]);
    await expectNextPushClearsUp();
  });

  test('a server that is killed takes its dynos along; started again, it takes a push at once', async () => {
    const push = await heldUp();
    try {
      expect(remains.processes().length).toBeGreaterThan(0);
      door.signal('SIGKILL');
      await door.ended();
      await remains.noProcess();
      expect((await push.ended()).code).not.toBe(0);
      expect(locksOf(door)).toEqual(['app']);
    } finally {
      await push.kill();
    }
    await door.start();
    const since = performance.now();
    await expectNextPushClearsUp();
    // The lock of the dead server would run out after 30 seconds; that it is dead is known at once.
    expect(performance.now() - since).toBeLessThan(25_000);
    expect(locksOf(door)).toEqual([]);
  });
});

describe('many sessions that are cut off', () => {
  const COUNT = IS_SOAK ? 1_000 : 60;
  const AT_ONCE = 8;
  const SLACK_BYTES = 64 * MIB;
  const APPS = ['one', 'two', 'three', 'four'];
  const dynoUser = dynoUserOfItsOwn();
  const door = new Door({ GITMOUTH_DYNO_USER: String(dynoUser), GITMOUTH_LOG_LEVEL: 'info' });
  const remains = new Remains(door, dynoUser);
  let person: Person;
  let folder: string;
  let pack: Buffer;
  let commit: string;

  beforeAll(async () => {
    await door.start();
    person = await door.person('ada');
    folder = await person.repository();
    for (const app of APPS) await person.must(folder, 'push', '-q', person.url(app), 'main');
    writeFileSync(join(folder, 'bytes'), randomBytes(4 * MIB));
    await person.commit(folder, {});
    commit = await person.must(folder, 'rev-parse', 'main');
    await person.must(folder, 'push', '-q', person.url('cloned'), 'main');
    pack = execFileSync('git', ['-C', folder, 'pack-objects', '--all', '--stdout', '-q'], {
      maxBuffer: 64 * MIB,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  });

  afterAll(() => door.stop());

  /** So many of each way to leave, a few at once, each at another place. */
  async function leaveOften(count: number): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let n = next++; n < count; n = next++) {
        const departure = DEPARTURES[n % DEPARTURES.length] ?? 'after exec';
        await leave(departure, {
          door,
          person,
          cloned: { app: 'cloned', commit, bytes: part(n) * MIB },
          pushed: {
            app: APPS[n % APPS.length] ?? 'one',
            commit,
            part: pack.subarray(0, Math.floor(part(n) * pack.length)),
          },
        });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  /** So that this test does not pass by clients that never got so far. */
  function expectCutOffInTheMiddle(): void {
    const cutOff = door.events('session-ended').filter(({ verdict }) => verdict === 'ended-client-left');
    for (const [service, bytes] of [
      ['git-upload-pack', 'bytesOut'],
      ['git-receive-pack', 'bytesIn'],
    ] as const) {
      const inTheMiddle = cutOff.filter((one) => one['service'] === service && Number(one[bytes]) > 100_000);
      expect(inTheMiddle.length).toBeGreaterThan(COUNT / 20);
    }
  }

  async function memory(): Promise<number> {
    const readings: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      readings.push(residentBytes(door.pid));
      await sleep(100);
    }
    return median(readings);
  }

  test(
    `${COUNT} of them leave no process, descriptor, lock, memory or temporary pack`,
    async () => {
      remains.mark();
      await leaveOften(50);
      await remains.settled();
      const before = await memory();
      const descriptors = descriptorsOf(door.pid);
      await leaveOften(COUNT);
      await until(
        () => door.events('session-ended').length >= sessionsOf(50) + sessionsOf(COUNT),
        60_000,
        () => `only ${door.events('session-ended').length} sessions are over`,
      );
      await remains.settled();
      expectCutOffInTheMiddle();
      const growth = (await memory()) - before;
      figure(
        `${COUNT} sessions cut off: processes and locks left`,
        `${remains.processes().length} and ${locksOf(door).length}`,
      );
      figure(
        `${COUNT} sessions cut off: descriptors, before and after`,
        `${descriptors} and ${descriptorsOf(door.pid)}`,
      );
      figure(`${COUNT} sessions cut off: growth of the resident memory, as a median`, mebibytes(growth));
      expect(growth).toBeLessThan(SLACK_BYTES);
      for (const app of [...APPS, 'cloned']) {
        await person.must(folder, 'push', '-q', person.url(app), 'main:after');
        expect(temporaryObjects(door.repository(app))).toEqual([]);
        expect(await refOf(door.repository(app), 'refs/heads/never')).toBe('');
        await expectSound(door.repository(app));
      }
      await remains.settled();
    },
    LIMIT_MS,
  );
});

function count<T>(values: readonly T[], wanted: T): number {
  return values.filter((value) => value === wanted).length;
}

/** Spread over 0 to 1, and the same at each run. */
function part(n: number): number {
  return ((n * 37) % 100) / 100;
}

const WITH_SESSION: readonly Departure[] = ['after exec', 'mid-clone', 'mid-push'];

function sessionsOf(count: number): number {
  return Array.from({ length: count }, (_, n) => DEPARTURES[n % DEPARTURES.length] ?? 'after exec').filter(
    (departure) => WITH_SESSION.includes(departure),
  ).length;
}
