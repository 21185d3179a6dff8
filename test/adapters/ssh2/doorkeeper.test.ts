/** Who is let in: the doorkeeper by itself, with chance in the test's hand. What it does over real sockets is among the attacks. */
import { describe, expect, jest, test } from '@jest/globals';
import { MemoryThrottle } from '../../../src/adapters/memory/index.js';
import { Doorkeeper, type Admission } from '../../../src/adapters/ssh2/guard/doorkeeper.js';
import { DEFAULT_ADMISSION_LIMITS, EVERYBODY, type Counted } from '../../../src/domain/admission-policy.js';
import type { Place } from '../../../src/ports/throttle.js';
import type { TurnedAway } from '../../../src/domain/words/turned-away.js';
import { until } from '../../../src/contracts/contract.js';

const ME = '192.0.2.1';

class House {
  readonly throttle = new MemoryThrottle();
  readonly turnedAway: string[] = [];
  random = 0;
  readonly #doorkeeper: Doorkeeper;

  constructor(limits: Partial<typeof DEFAULT_ADMISSION_LIMITS> = {}) {
    const all = { ...DEFAULT_ADMISSION_LIMITS, unauthenticatedPerSource: 3, ...limits };
    this.#doorkeeper = new Doorkeeper(this.throttle, all, () => this.random);
  }

  ask(name: string, address = ME): Promise<Admission | TurnedAway> {
    return this.#doorkeeper.admit(address, (reason) => this.turnedAway.push(`${name}: ${reason}`));
  }

  async letIn(name: string, address = ME): Promise<Admission> {
    const answer = await this.ask(name, address);
    if (typeof answer === 'string') throw new Error(`${name} was refused: ${answer}`);
    return answer;
  }

  /** Gives those who ask the time to be counted and to stand in line; no clock goes by meanwhile. */
  async isInLine(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  }

  async places(): Promise<readonly number[]> {
    return [
      await this.throttle.count('connections', 'all'),
      await this.throttle.count('unauthenticated', 'all'),
      await this.throttle.count('unauthenticated-of-source', ME),
    ];
  }
}

describe('a source with its share taken', () => {
  test('has the next wait for one that logs in, first come first served', async () => {
    const house = new House();
    const first = await house.letIn('first');
    for (const name of ['second', 'third']) await house.letIn(name);
    const order: string[] = [];
    const waiting = ['fourth', 'fifth'].map((name) => house.letIn(name).then(() => order.push(name)));
    await house.isInLine();
    first.loggedIn();
    await waiting[0];
    expect(order).toEqual(['fourth']);
    expect(house.turnedAway).toEqual([]);
    expect(await house.places()).toEqual([5, 3, 3]);
    first.leave();
    expect(await house.places()).toEqual([4, 3, 3]);
    // The fifth does not wait for ever: its patience over, chance hits the first of those that are in.
    await waiting[1];
    expect(house.turnedAway).toEqual(['second: too-many-strangers']);
    expect(await house.places()).toEqual([4, 3, 3]);
  });

  test('has as many wait as have a place, and then chance decides at once', async () => {
    const house = new House({ unauthenticatedPerSource: 2 });
    for (const name of ['one', 'two']) await house.letIn(name);
    const waiting = ['three', 'four'].map((name) => house.ask(name));
    await house.isInLine();
    house.random = 0.5;
    await house.letIn('five');
    // One went, and none of those in line with it.
    expect(house.turnedAway).toEqual(['two: too-many-strangers']);
    expect(await house.places()).toEqual([5, 2, 2]);
    // Above all that are in lies the newcomer itself.
    house.random = 0.99;
    expect(await house.ask('six')).toBe('too-many-strangers');
    house.random = 0;
    for (const answer of await Promise.all(waiting)) expect(answer).not.toBe('too-many-strangers');
  });

  test('lets a crowd in that comes in one moment and logs in, and turns none of it away', async () => {
    const house = new House({ unauthenticatedPerSource: 8 });
    const crowd = Array.from({ length: 16 }, (_, n) => house.letIn(`${n}`));
    const all = crowd.map(async (admission) => {
      (await admission).loggedIn();
    });
    await Promise.all(all);
    expect(house.turnedAway).toEqual([]);
    expect(await house.places()).toEqual([16, 0, 0]);
  });

  test('has those who wait go on waiting for as long as others of it log in', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      const house = new House();
      const inside = [];
      for (const name of ['one', 'two', 'three']) inside.push(await house.letIn(name));
      const waiting = ['four', 'five', 'six'].map((name) => house.letIn(name));
      for (const admission of inside) {
        await house.isInLine();
        jest.advanceTimersByTime(4_900);
        admission.loggedIn();
      }
      await Promise.all(waiting);
      expect(house.turnedAway).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
  });

  test('takes nothing from another source', async () => {
    const house = new House({ unauthenticatedPerSource: 1 });
    await house.letIn('one');
    await house.letIn('other', '192.0.2.2');
    expect(house.turnedAway).toEqual([]);
  });
});

test('what was taken is given back, once, however it ends', async () => {
  const house = new House();
  const [left, loggedIn] = [await house.letIn('one'), await house.letIn('two')];
  left.leave();
  left.leave();
  loggedIn.loggedIn();
  expect(await house.places()).toEqual([1, 0, 0]);
  loggedIn.leave();
  loggedIn.loggedIn();
  expect(await house.places()).toEqual([0, 0, 0]);
});

test('above where dropping begins chance decides, and a full house lets nobody in; nothing is kept of the refused', async () => {
  const house = new House({ unauthenticated: 4, unauthenticatedDropFrom: 2 });
  for (const name of ['one', 'two']) await house.letIn(name, `198.51.100.${name.length}`);
  house.random = 0.29;
  expect(await house.ask('unlucky')).toBe('too-many-strangers');
  house.random = 0.9;
  await house.letIn('lucky');
  await house.letIn('last', '203.0.113.9');
  expect(await house.ask('late', '203.0.113.10')).toBe('too-many-strangers');
  expect(await house.places()).toEqual([4, 4, 1]);
});

test('more connections than there are places for are refused, logged in or not', async () => {
  const house = new House({ connections: 2 });
  const inside = [await house.letIn('one'), await house.letIn('two', '192.0.2.2')];
  for (const admission of inside) admission.loggedIn();
  expect(await house.ask('three', '192.0.2.3')).toBe('too-many-connections');
  inside[0]?.leave();
  await until(async () => (await house.places())[0] === 1, 'the place is given back');
  await house.letIn('four', '192.0.2.4');
});

test('what was taken is given back when the counting fails', async () => {
  class Failing extends MemoryThrottle {
    failing: Counted | undefined;

    override enter(counted: Counted, key: string, limit: number): Promise<Place | undefined> {
      return counted === this.failing ? Promise.reject(new Error('out of reach')) : super.enter(counted, key, limit);
    }
  }
  const throttle = new Failing();
  const doorkeeper = new Doorkeeper(throttle, DEFAULT_ADMISSION_LIMITS);
  for (const failing of ['connections', 'unauthenticated', 'unauthenticated-of-source'] as const) {
    throttle.failing = failing;
    await expect(doorkeeper.admit(ME, () => undefined)).rejects.toThrow('out of reach');
    expect(await throttle.count('connections', EVERYBODY)).toBe(0);
    expect(await throttle.count('unauthenticated', EVERYBODY)).toBe(0);
  }
  throttle.failing = undefined;
  expect(typeof (await doorkeeper.admit(ME, () => undefined))).toBe('object');
});
