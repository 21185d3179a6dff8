/**
 * Ten people push to one app while clients and servers are killed at random moments: nothing that was acknowledged is
 * lost, no two write at once, and nothing stays behind.
 */
import { chmodSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, Person, until } from '../support/door.js';
import { figure } from '../support/figures.js';
import { freePort } from '../support/free-port.js';
import { needs } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';
import { dynoUserOfItsOwn, expectSound, locksOf, refOf, Remains } from '../support/remains.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'redis-server', 'redis-cli');

const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const PUSHERS = 10;
/** All of a round begins within so long, and all who are killed are killed within it. */
const ROUND_MS = 900;
const LEASE_SECONDS = 2;
const HOOKS = join(import.meta.dirname, 'kill-rounds-hooks');

describe.each([
  // Where there is one, pushes find it running in every other round at least.
  { state: 'SQLite', doors: 1, killEvery: 2, rounds: IS_SOAK ? 200 : 5 },
  { state: 'Redis', doors: 2, killEvery: 1, rounds: IS_SOAK ? 200 : 20 },
])('ten pushers on one app, over $doors gitmouth with $state', ({ state, doors: doorCount, killEvery, rounds }) => {
  const data = join(temporaryFolder('rounds'), 'data');
  const dynoUser = dynoUserOfItsOwn();
  const doors: Door[] = [];
  const people: Person[] = [];
  const remains: Remains[] = [];
  const pushers: Pusher[] = [];
  let redis: RedisServer | undefined;

  beforeAll(async () => {
    if (state === 'Redis') redis = await RedisServer.start();
    const environment = {
      GITMOUTH_DATA: data,
      GITMOUTH_HOOKS: hooks(),
      GITMOUTH_DYNO_USER: String(dynoUser),
      GITMOUTH_LOCK_LEASE_SECONDS: String(LEASE_SECONDS),
      ...(redis === undefined ? {} : { GITMOUTH_STATE: redis.url }),
    };
    while (doors.length < doorCount) {
      const door = new Door({ ...environment, GITMOUTH_LISTEN: `127.0.0.1:${await freePort()}` });
      await door.start();
      doors.push(door);
      remains.push(new Remains(door, dynoUser));
    }
    const [first] = doors;
    if (first === undefined) throw new Error('no door');
    const ada = await first.person('ada');
    for (const door of doors) people.push(new Person('ada', temporaryFolder('ada'), ada.keyFile, door));
    while (pushers.length < PUSHERS) pushers.push(await Pusher.make(ada, `branch-${pushers.length}`));
    await ada.must(pushers[0]?.folder ?? '', 'push', '--quiet', ada.url('app'), 'HEAD:main');
  }, 120_000);

  afterAll(async () => {
    await Promise.all(doors.map((door) => door.stop()));
    await redis?.stop();
  });

  async function killOne(): Promise<void> {
    const door = doors[Math.floor(Math.random() * doors.length)];
    await sleep(Math.random() * ROUND_MS);
    door?.signal('SIGKILL');
    await door?.ended();
    await door?.start();
  }

  function pushAll(): Promise<void>[] {
    return pushers.map(async (pusher, at) => {
      await sleep(Math.random() * ROUND_MS);
      const person = people[at % people.length];
      if (person !== undefined) await pusher.push(person);
    });
  }

  async function round(number: number): Promise<number> {
    const pushes = pushAll();
    const victims = [...pushers].sort(() => Math.random() - 0.5).slice(0, 2);
    const killed = victims.map(async (victim) => {
      await sleep(Math.random() * ROUND_MS);
      await victim.kill();
    });
    if (number % killEvery === 0) await killOne();
    await Promise.all([...pushes, ...killed]);
    return pushers.filter(({ isAcknowledged }) => isAcknowledged).length;
  }

  /** One that nobody is killed in: all is acknowledged, and whoever was told so has given their lease back before. */
  async function quietRound(): Promise<number> {
    await Promise.all(pushAll());
    expect(leases()).toEqual([]);
    expect(pushers.filter(({ isAcknowledged }) => !isAcknowledged)).toEqual([]);
    for (const one of remains) await one.noProcess();
    return pushers.length;
  }

  /** As the state has them now: a lease that merely runs out would be gone by the time that a command has looked. */
  function leases(): readonly string[] {
    if (redis === undefined) return locksOf(doors[0] as Door);
    return redis
      .cli('KEYS', 'gitmouth:lock:{*}')
      .split('\n')
      .filter((key) => key !== '');
  }

  test(
    `in ${rounds} rounds: no acknowledged commit is lost, never do two write at once, nothing is left`,
    async () => {
      const repository = (doors[0] as Door).repository('app');
      let acknowledged = 0;
      for (let number = 0; number < rounds; number++) {
        acknowledged += await round(number);
        await until(
          () => remains.every((one) => one.processes().length === 0),
          20_000,
          () =>
            remains
              .flatMap((one) => one.processes().map(({ pid, state, command }) => `${pid} ${state} ${command}`))
              .join('\n'),
        );
        for (const pusher of pushers) await pusher.expectKept(repository);
      }
      expect(acknowledged).toBeGreaterThan(rounds);
      acknowledged += await quietRound();
      for (const pusher of pushers) await pusher.expectKept(repository);
      await expectSound(repository);
      const { sessions, whole } = expectOneAtATime(readFileSync(join(repository, 'writers.log'), 'utf8'));
      // A push that was cut off after its refs had moved counts as written and not as acknowledged.
      expect(whole).toBeGreaterThanOrEqual(acknowledged);
      figure(
        `pushes of ${rounds} rounds and a quiet one over ${doorCount} gitmouth with ${state}: begun writing, ended, acknowledged`,
        `${sessions}, ${whole}, ${acknowledged}`,
      );
    },
    rounds * 30_000,
  );
});

/** Somebody with a branch of their own, who knows what was acknowledged to them. */
class Pusher {
  readonly folder: string;
  readonly #branch: string;
  /** What the branch may be in the repository. */
  #possible: string[] = [''];
  #running: Running | undefined;
  isAcknowledged = false;

  private constructor(folder: string, branch: string) {
    this.folder = folder;
    this.#branch = branch;
  }

  static async make(person: Person, branch: string): Promise<Pusher> {
    return new Pusher(await person.repository(), branch);
  }

  async push(person: Person): Promise<void> {
    this.isAcknowledged = false;
    await person.must(this.folder, 'commit', '--quiet', '--allow-empty', '--message', 'one more');
    const tip = await person.must(this.folder, 'rev-parse', 'HEAD');
    const args = ['push', '--quiet', person.url('app'), `HEAD:refs/heads/${this.#branch}`];
    this.#running = new Running('git', args, { cwd: this.folder, env: person.environment });
    const { code } = await this.#running.ended(120_000);
    this.isAcknowledged = code === 0;
    this.#possible = this.isAcknowledged ? [tip] : [...this.#possible, tip];
  }

  async kill(): Promise<void> {
    await this.#running?.kill();
  }

  async expectKept(repository: string): Promise<void> {
    const now = await refOf(repository, `refs/heads/${this.#branch}`);
    expect(this.#possible).toContain(now);
    this.#possible = [now];
  }
}

/** The lines of one push stand together, as no other push runs before it is over; none found another in the lock. */
function expectOneAtATime(log: string): { readonly sessions: number; readonly whole: number } {
  const lines = log.split('\n').filter((line) => line !== '');
  expect(lines.filter((line) => line.startsWith('TWO'))).toEqual([]);
  const order = lines.map((line) => line.split(' ')[0] ?? '').filter((one, at, all) => one !== all[at - 1]);
  expect(order.filter((one, at) => order.indexOf(one) !== at)).toEqual([]);
  return { sessions: order.length, whole: lines.filter((line) => line.endsWith(' ends')).length };
}

/** Where every dyno's user can reach them. */
function hooks(): string {
  const folder = temporaryFolder('hooks');
  cpSync(HOOKS, folder, { recursive: true });
  chmodSync(folder, 0o755);
  return folder;
}
