/** The places for dynos and the queue for them, over a throttle that answers at once and over one that takes its time. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryClock, MemoryThrottle } from '../../src/adapters/memory/index.js';
import { DynoSlots, type DynoSlotLimits } from '../../src/app/dyno-slots.js';
import type { DynoAnswer } from '../../src/app/dyno-wait.js';
import type { Counted } from '../../src/domain/admission-policy.js';
import type { DynosFull } from '../../src/domain/dyno-queue.js';
import { Departure } from '../../src/domain/session-end.js';
import type { Place, Throttle } from '../../src/ports/throttle.js';
import { sampleCaller } from '../../src/contracts/samples.js';
import { turns, within } from '../../src/contracts/contract.js';

const LIMITS: DynoSlotLimits = { dynosPerConnection: 10, dynosPerUser: 4, dynos: 6, dynoQueue: 8, dynoQueueMs: 30_000 };

/** A throttle whose every answer, and every return of a place, takes its time. */
class FarThrottle implements Throttle {
  failWith: Error | undefined;
  /** How many attempts were under way at once, at most. */
  busiest = 0;
  #busy = 0;

  constructor(
    private readonly near: Throttle,
    private readonly travel: () => Promise<void> = () => turns(1),
  ) {}

  async enter(counted: Counted, key: string, limit: number): Promise<Place | undefined> {
    this.busiest = Math.max(this.busiest, ++this.#busy);
    try {
      await this.travel();
      if (this.failWith !== undefined) throw this.failWith;
      const place = await this.near.enter(counted, key, limit);
      await this.travel();
      return place && { leave: () => this.travel().then(() => place.leave()) };
    } finally {
      this.#busy -= 1;
    }
  }

  count(counted: Counted, key: string): Promise<number> {
    return this.near.count(counted, key);
  }
}

/** One who asked for a dyno. */
class Guest {
  answer: DynoAnswer | undefined;
  error: unknown;
  readonly told: string[] = [];
  readonly control = new AbortController();
  readonly settled: Promise<void>;

  constructor(slots: DynoSlots, user: string, connection: string) {
    const caller = sampleCaller(user);
    const onWaiting = ({ full, limit }: DynosFull) => this.told.push(`${full} ${limit}`);
    this.settled = slots
      .take({ ...caller, connection: { ...caller.connection, id: connection } }, onWaiting, this.control.signal)
      .then(
        (answer) => void (this.answer = answer),
        (error: unknown) => void (this.error = error),
      );
  }

  get isIn(): boolean {
    return this.answer !== undefined && 'leave' in this.answer;
  }

  get isWaiting(): boolean {
    return this.answer === undefined && this.error === undefined;
  }

  /** The refusal it got; undefined for a place. */
  get refusal(): object | undefined {
    return this.isIn ? undefined : this.answer;
  }

  async leave(): Promise<void> {
    if (this.answer !== undefined && 'leave' in this.answer) await this.answer.leave();
  }

  giveUp(): void {
    this.control.abort(new Departure('client-left'));
  }
}

class Hall {
  readonly taken = new Map<string, number>();
  readonly clock = new MemoryClock();
  readonly far: FarThrottle;
  readonly slots: DynoSlots;
  readonly guests: Guest[] = [];

  constructor(limits: Partial<DynoSlotLimits> = {}, isFar = false, travel?: () => Promise<void>) {
    const near = new MemoryThrottle(this.taken);
    this.far = new FarThrottle(near, travel);
    this.slots = new DynoSlots(isFar ? this.far : near, () => ({ ...LIMITS, ...limits }), this.clock);
  }

  ask(user: string, connection = `c-of-${user}`): Guest {
    const guest = new Guest(this.slots, user, connection);
    this.guests.push(guest);
    return guest;
  }

  /** Asks as often, and waits until everything that can happen has. */
  async asked(user: string, times: number, connection?: string): Promise<readonly Guest[]> {
    const guests = Array.from({ length: times }, () => this.ask(user, connection));
    await this.quiet();
    return guests;
  }

  quiet(): Promise<void> {
    return turns(200);
  }

  inside(): string {
    return this.guests.map(({ isIn, isWaiting }) => (isIn ? 'x' : isWaiting ? '.' : '-')).join('');
  }

  async expectEmpty(): Promise<void> {
    await this.quiet();
    expect(this.taken).toEqual(new Map());
    expect(this.clock.sleeping).toBe(0);
    expect(this.guests.filter(({ isWaiting }) => isWaiting)).toEqual([]);
  }

  /** Everybody leaves, or gives up. */
  async close(): Promise<void> {
    for (const guest of this.guests) guest.giveUp();
    await within(Promise.all(this.guests.map(({ settled }) => settled)), 'all answers');
    await within(Promise.all(this.guests.map((guest) => guest.leave())), 'all to leave');
    await this.expectEmpty();
  }
}

describe.each([
  ['near', false],
  ['far', true],
])('over a throttle that is %s,', (_, isFar) => {
  test('as many of a user run as may, the next waits and is told, and gets the place of the first that ends', async () => {
    const hall = new Hall({}, isFar);
    const guests = await hall.asked('alice', 6);
    expect(hall.inside()).toBe('xxxx..');
    expect(guests.map(({ told }) => told)).toEqual([[], [], [], [], ['user 4'], ['user 4']]);
    await guests[2]?.leave();
    await hall.quiet();
    expect(hall.inside()).toBe('xxxxx.');
    expect(guests[5]?.told).toEqual(['user 4']);
    await guests[0]?.leave();
    await hall.quiet();
    expect(hall.inside()).toBe('xxxxxx');
    await hall.close();
  });

  test.each([
    ['connection', { dynosPerConnection: 2 }, 2],
    ['user', { dynosPerUser: 3 }, 3],
    ['server', { dynos: 1 }, 1],
  ] as const)('a full %s is what the one who waits is told of', async (full, limits, limit) => {
    const hall = new Hall(limits, isFar);
    const guests = await hall.asked('alice', limit + 1);
    expect(guests.at(-1)?.told).toEqual([`${full} ${limit}`]);
    await hall.clock.advance(LIMITS.dynoQueueMs);
    await hall.quiet();
    expect(guests.at(-1)?.refusal).toEqual({ kind: 'dynos-busy', full, limit, waitedMs: 30_000 });
    await hall.close();
  });

  test('a full connection holds up none of the same user over another one, nor a full user another user', async () => {
    const hall = new Hall({ dynosPerConnection: 2 }, isFar);
    await hall.asked('alice', 3, 'c-1');
    await hall.asked('alice', 3, 'c-2');
    expect(hall.inside()).toBe('xx.xx.');
    await hall.asked('bob', 2);
    expect(hall.inside()).toBe('xx.xx.xx');
    await hall.close();
  });

  test('whoever waits is told anew when it is another reason', async () => {
    const hall = new Hall({ dynosPerUser: 2, dynos: 2 }, isFar);
    const [first, second, third] = await hall.asked('alice', 3);
    expect(third?.told).toEqual(['user 2']);
    const [bob] = await hall.asked('bob', 1);
    await first?.leave();
    await hall.quiet();
    expect([bob?.isIn, third?.isIn]).toEqual([true, false]);
    expect(third?.told).toEqual(['user 2', 'server 2']);
    await second?.leave();
    await hall.quiet();
    expect(third?.isIn).toBe(true);
    await hall.close();
  });

  test('the user with the fewest dynos goes first, and within a user whoever came first', async () => {
    const hall = new Hall({ dynos: 4 }, isFar);
    const [a1, a2, a3] = await hall.asked('alice', 3);
    const [b1] = await hall.asked('bob', 1);
    const waiting = [
      ...(await hall.asked('alice', 1)),
      ...(await hall.asked('bob', 2)),
      ...(await hall.asked('carol', 1)),
    ];
    const order = async (leaves: Guest | undefined) => {
      await leaves?.leave();
      await hall.quiet();
      return waiting.map(({ isIn }) => (isIn ? 'x' : '.')).join('');
    };
    expect(await order(a1)).toBe('...x');
    expect(await order(a2)).toBe('x..x');
    expect(await order(a3)).toBe('xx.x');
    expect(await order(b1)).toBe('xxxx');
    await hall.close();
  });

  test('of those who come at the same time the first gets the place', async () => {
    const hall = new Hall({ dynosPerUser: 6 }, isFar);
    await hall.asked('alice', 9);
    expect(hall.inside()).toBe('xxxxxx...');
    await hall.close();
  });

  test('a queue that is full refuses at once, and tells for want of what', async () => {
    const hall = new Hall({ dynoQueue: 2 }, isFar);
    const guests = await hall.asked('alice', 7);
    expect(hall.inside()).toBe('xxxx..-');
    expect(guests[6]?.refusal).toEqual({ kind: 'dynos-busy', full: 'user', limit: 4, waitedMs: 0 });
    expect(guests[6]?.told).toEqual([]);
    await hall.close();
  });

  test.each([{ dynoQueue: 0 }, { dynoQueueMs: 0 }])('with %j nobody waits', async (limits) => {
    const hall = new Hall(limits, isFar);
    const guests = await hall.asked('alice', 5);
    expect(hall.inside()).toBe('xxxx-');
    expect(guests[4]?.refusal).toEqual({ kind: 'dynos-busy', full: 'user', limit: 4, waitedMs: 0 });
    await hall.close();
  });

  // Attack: one user fills the queue, so that everybody else is refused while it is full.
  test('one user who fills the queue keeps no other one out of it: the last of theirs goes', async () => {
    const hall = new Hall({ dynoQueue: 3 }, isFar);
    const mallory = await hall.asked('mallory', 7);
    await hall.asked('bob', 2);
    await hall.clock.advance(5_000);
    const [carol] = await hall.asked('carol', 1);
    expect(hall.inside()).toBe('xxxx..-' + 'xx' + '.');
    expect(mallory[6]?.refusal).toEqual({ kind: 'dynos-busy', full: 'user', limit: 4, waitedMs: 5_000 });
    await mallory[0]?.leave();
    await hall.quiet();
    expect(carol?.isIn).toBe(true);
    await hall.close();
  });

  test('a wait is over after its time, to the millisecond, and the others wait on', async () => {
    const hall = new Hall({}, isFar);
    await hall.asked('alice', 5);
    await hall.clock.advance(10_000);
    await hall.asked('alice', 1);
    await hall.clock.advance(19_999);
    await hall.quiet();
    expect(hall.inside()).toBe('xxxx..');
    await hall.clock.advance(1);
    await hall.quiet();
    expect(hall.inside()).toBe('xxxx-.');
    await hall.close();
  });

  test('whoever leaves while waiting leaves at once, with the reason, and the next in line moves up', async () => {
    const hall = new Hall({}, isFar);
    const guests = await hall.asked('alice', 6);
    guests[4]?.giveUp();
    await within(guests[4]?.settled ?? Promise.resolve(), 'the end of the wait');
    expect(guests[4]?.error).toBe(guests[4]?.control.signal.reason);
    await guests[0]?.leave();
    await hall.quiet();
    expect(hall.inside()).toBe('xxxx-x');
    await hall.close();
  });

  test('whoever has left before takes nothing', async () => {
    const hall = new Hall({}, isFar);
    const control = new AbortController();
    control.abort(new Departure('client-left'));
    await expect(hall.slots.take(sampleCaller('alice'), () => undefined, control.signal)).rejects.toBe(
      control.signal.reason,
    );
    await hall.expectEmpty();
  });

  test('giving a place back again changes nothing, not even whose turn it is', async () => {
    const hall = new Hall({ dynos: 4 }, isFar);
    const [alice] = await hall.asked('alice', 3);
    await hall.asked('bob', 1);
    await Promise.all([alice?.leave(), alice?.leave()]);
    await alice?.leave();
    const [carol] = await hall.asked('carol', 1);
    expect(await hall.far.count('dynos', 'all')).toBe(4);
    await hall.asked('alice', 1);
    await hall.asked('bob', 1);
    await carol?.leave();
    await hall.quiet();
    expect(hall.inside()).toBe('xxxxx.x');
    await hall.close();
  });

  test('from a drain on nobody waits: who does is refused at once, and who would have to; who need not, gets in', async () => {
    const hall = new Hall({}, isFar);
    const guests = await hall.asked('alice', 6);
    hall.slots.beginDrain();
    await within(Promise.all([guests[4]?.settled, guests[5]?.settled]), 'the end of the waits');
    expect(guests.slice(4).map(({ refusal }) => refusal)).toEqual([{ kind: 'draining' }, { kind: 'draining' }]);
    const [late] = await hall.asked('alice', 1);
    expect(late?.refusal).toEqual({ kind: 'draining' });
    const [other] = await hall.asked('bob', 1);
    expect(other?.isIn).toBe(true);
    await hall.close();
  });
});

describe('over a throttle that takes its time,', () => {
  /** A throttle whose answers wait until they are let through. */
  function heldUp() {
    const waiting: (() => void)[] = [];
    const travel = () => new Promise<void>((resolve) => waiting.push(resolve));
    /** Those that came before the `from`th are held up still. */
    const letThrough = async (from = 0, count = Infinity) => {
      for (let passed = 0; passed < count && waiting.length > from; passed++) {
        waiting.splice(from, 1)[0]?.();
        await turns(3);
      }
    };
    return { travel, letThrough };
  }

  test('a place that was won after its asker had left is given back, and goes to the next', async () => {
    const { travel, letThrough } = heldUp();
    const hall = new Hall({ dynos: 1 }, true, travel);
    const gone = hall.ask('alice');
    await turns();
    gone.giveUp();
    await within(gone.settled, 'the end of who left');
    const next = hall.ask('bob');
    await letThrough();
    expect(next.isIn).toBe(true);
    expect(await hall.far.count('dynos', 'all')).toBe(1);
    const left = next.leave();
    await letThrough();
    await left;
    await hall.expectEmpty();
  });

  test('a place that is given back during an attempt that fails is not missed', async () => {
    const { travel, letThrough } = heldUp();
    const hall = new Hall({ dynos: 1 }, true, travel);
    const first = hall.ask('alice');
    await letThrough();
    const second = hall.ask('bob');
    await turns();
    // Two travels for each of three counts: the last one is the answer that no dyno is free.
    await letThrough(0, 5);
    const leaving = first.leave();
    await letThrough(1);
    await leaving;
    expect(await hall.far.count('dynos', 'all')).toBe(0);
    await letThrough();
    expect(second.isIn).toBe(true);
    expect(second.told).toEqual([]);
    const left = second.leave();
    await letThrough();
    await left;
    await hall.expectEmpty();
  });

  test('whoever leaves during an attempt that fails is told nothing, and drives nobody out of the queue', async () => {
    const { travel, letThrough } = heldUp();
    const hall = new Hall({ dynosPerUser: 1, dynos: 2, dynoQueue: 2 }, true, travel);
    for (const user of ['alice', 'carol', 'alice', 'alice']) hall.ask(user);
    await letThrough();
    expect(hall.inside()).toBe('xx..');
    const gone = hall.ask('bob');
    await turns();
    gone.giveUp();
    await letThrough();
    expect(gone.told).toEqual([]);
    expect(hall.inside()).toBe('xx..-');
    const closing = hall.close();
    for (let rounds = 0; rounds < 3; rounds++) {
      await turns();
      await letThrough();
    }
    await closing;
  });

  test('a drain during an attempt that fails refuses it', async () => {
    const { travel, letThrough } = heldUp();
    const hall = new Hall({ dynos: 1 }, true, travel);
    const first = hall.ask('alice');
    await letThrough();
    const second = hall.ask('bob');
    await turns();
    hall.slots.beginDrain();
    await letThrough();
    expect(second.refusal).toEqual({ kind: 'draining' });
    const left = first.leave();
    await letThrough();
    await left;
    await hall.expectEmpty();
  });

  test('attempts are made one at a time, and what was found full is not asked for again and again', async () => {
    const hall = new Hall({ dynoQueue: 100 }, true);
    let asked = 0;
    const enter = hall.far.enter.bind(hall.far);
    hall.far.enter = (...args) => {
      asked += 1;
      return enter(...args);
    };
    await hall.asked('alice', 60);
    expect(hall.far.busiest).toBe(1);
    // Three counts for each of the four that get in, and for the fifth the two until one is full.
    expect(asked).toBe(4 * 3 + 2);
    await hall.close();
  });

  test('a throttle that fails fails the request, with nothing taken, and serves the next when it works again', async () => {
    const hall = new Hall({}, true);
    await hall.asked('alice', 5);
    hall.far.failWith = new Error('the counts are out of reach');
    const [failed] = await hall.asked('bob', 1);
    expect(failed?.error).toBe(hall.far.failWith);
    hall.far.failWith = undefined;
    const [served] = await hall.asked('bob', 1);
    expect(served?.isIn).toBe(true);
    await hall.close();
  });

  test('a throttle that fails halfway gives back what was taken before', async () => {
    const hall = new Hall({}, true);
    const enter = hall.far.enter.bind(hall.far);
    const failure = new Error('out of reach');
    hall.far.enter = (counted, key, limit) =>
      counted === 'dynos' ? Promise.reject(failure) : enter(counted, key, limit);
    const [failed] = await hall.asked('alice', 1);
    expect(failed?.error).toBe(failure);
    await hall.expectEmpty();
  });
});

type Step =
  | { readonly do: 'ask'; readonly user: string; readonly connection: string }
  | { readonly do: 'leave' | 'give up'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'turn'; readonly count: number };

const who = fc.record({ user: fc.constantFrom('a', 'b', 'c'), connection: fc.constantFrom('1', '2') });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: who.map(({ user, connection }): Step => ({ do: 'ask', user, connection: user + connection })),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('give up' as const), which: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(2_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('turn' as const), count: fc.nat(6) }) },
);

function chosen(guests: readonly Guest[], which: number): Guest | undefined {
  return guests[which % Math.max(1, guests.length)];
}

/** Nobody waits for whom there is a place. */
function expectNobodyForgotten(
  hall: Hall,
  guests: readonly { guest: Guest; user: string; connection: string }[],
  limits: DynoSlotLimits,
): void {
  const taken = (name: string) => hall.taken.get(name) ?? 0;
  for (const { guest, user, connection } of guests.filter((each) => each.guest.isWaiting)) {
    const isFull =
      taken(`dynos-of-connection ${connection}`) >= limits.dynosPerConnection ||
      taken(`dynos-of-user ${user}`) >= limits.dynosPerUser ||
      taken('dynos all') >= limits.dynos;
    expect({ user, connection, isFull, told: guest.told.length > 0 }).toEqual({
      user,
      connection,
      isFull: true,
      told: true,
    });
  }
}

test('whatever happens in whatever order, no limit is passed, nobody is forgotten and nothing stays taken', async () => {
  const limits: DynoSlotLimits = { dynosPerConnection: 2, dynosPerUser: 3, dynos: 5, dynoQueue: 4, dynoQueueMs: 5_000 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, isFar) => {
      const hall = new Hall(limits, isFar);
      const guests: { guest: Guest; user: string; connection: string }[] = [];
      const leaving: Promise<void>[] = [];
      for (const now of steps) {
        if (now.do === 'ask') guests.push({ guest: hall.ask(now.user, now.connection), ...now });
        else if (now.do === 'pass') await hall.clock.advance(now.ms);
        else if (now.do === 'turn') await turns(now.count);
        else if (now.do === 'leave') leaving.push(chosen(hall.guests, now.which)?.leave() ?? Promise.resolve());
        else chosen(hall.guests, now.which)?.giveUp();
        for (const [name, count] of hall.taken) {
          const limit = name.startsWith('dynos-of-c') ? 2 : name.startsWith('dynos-of-u') ? 3 : 5;
          expect(count).toBeLessThanOrEqual(limit);
        }
        expect(hall.clock.sleeping).toBeLessThanOrEqual(limits.dynoQueue);
      }
      await Promise.all(leaving);
      await hall.quiet();
      expectNobodyForgotten(hall, guests, limits);
      await hall.close();
    }),
    { numRuns: 150 },
  );
});
