import assert from 'node:assert/strict';
import type { Counted } from '../domain/admission-policy.js';
import type { Place, Throttle } from '../ports/throttle.js';
import { casesOf, turns, within, type ContractCase, type Harness, type Promised } from './contract.js';

/** Two handles on the same counts, as two servers that share them have. */
export interface ThrottleHarness extends Harness {
  readonly one: Throttle;
  readonly other: Throttle;
  /** How many counts are kept at all, whatever their kind and key. */
  kept(): Promise<number>;
}

export function throttleContract(open: () => Promise<ThrottleHarness>): readonly ContractCase[] {
  return casesOf(open, [], [...counting, ...limiting, ...leaving]);
}

/** Every kind; the compiler sees that none is missing. */
const KINDS = Object.keys({
  connections: true,
  'connections-of-user': true,
  unauthenticated: true,
  'unauthenticated-of-source': true,
  dynos: true,
  'dynos-of-user': true,
  'dynos-of-connection': true,
} satisfies Record<Counted, true>) as readonly Counted[];

/** Sources, users and connections; and what would be one key for an adapter that is careless with names. */
const KEYS = ['', '192.0.2.7', '2001:db8::/64', 'alice', 'Alice', 'alice:1', 'a b', 'a*', 'constructor', '__proto__'];

async function enter(throttle: Throttle, counted: Counted, key: string, limit: number): Promise<Place> {
  const place = await within(throttle.enter(counted, key, limit), `a place for ${counted} ${key}`);
  assert.ok(place !== undefined, `a place for ${counted} of '${key}' was to be free`);
  return place;
}

function held(places: readonly (Place | undefined)[]): readonly Place[] {
  return places.filter((place) => place !== undefined);
}

/** Numbers below `below` that look random and are the same in each run. */
function* numbers(below: number): Generator<number, never> {
  for (let state = 42; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield Math.floor(state / 2 ** 16) % below;
  }
}

const counting: readonly Promised<ThrottleHarness>[] = [
  {
    name: 'counts the places that are taken, in both handles alike, and none for a key that nobody asked for',
    async run({ one, other }) {
      assert.equal(await one.count('dynos-of-user', 'alice'), 0);
      const places = [
        await enter(one, 'dynos-of-user', 'alice', 5),
        await enter(other, 'dynos-of-user', 'alice', 5),
        await enter(one, 'dynos-of-user', 'alice', 5),
      ];
      for (const throttle of [one, other]) assert.equal(await throttle.count('dynos-of-user', 'alice'), 3);
      for (const place of places) await place.leave();
      for (const throttle of [one, other]) assert.equal(await throttle.count('dynos-of-user', 'alice'), 0);
    },
  },
  {
    name: 'counts each kind apart, for one and the same key',
    async run({ one }) {
      const places = new Map<Counted, Place>();
      for (const kind of KINDS) places.set(kind, await enter(one, kind, 'alice', 1));
      for (const [kind, place] of places) {
        await place.leave();
        const left = await Promise.all(KINDS.map((each) => one.count(each, 'alice')));
        const expected = KINDS.map((each) => (KINDS.indexOf(each) > KINDS.indexOf(kind) ? 1 : 0));
        assert.deepEqual(left, expected);
      }
    },
  },
  {
    name: 'counts each key apart, whatever is in it',
    async run({ one }) {
      const places: Place[] = [];
      for (const key of KEYS) places.push(await enter(one, 'dynos-of-user', key, 1));
      for (const key of KEYS) {
        assert.equal(await one.count('dynos-of-user', key), 1, key);
        assert.equal(await one.enter('dynos-of-user', key, 1), undefined, key);
      }
      for (const [index, place] of places.entries()) {
        await place.leave();
        assert.equal(await one.count('dynos-of-user', KEYS[index] ?? 'none'), 0, KEYS[index]);
      }
    },
  },
];

const limiting: readonly Promised<ThrottleHarness>[] = [
  {
    name: 'of two hundred that enter at once over both handles as many get a place as there are, and no more',
    async run({ one, other }) {
      const asked = Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? one : other).enter('dynos', 'here', 7));
      const places = held(await within(Promise.all(asked), 'all answers'));
      assert.equal(places.length, 7);
      assert.equal(await one.count('dynos', 'here'), 7);
    },
  },
  {
    name: 'whoever gets no place takes none',
    async run({ one }) {
      const place = await enter(one, 'connections', 'here', 1);
      for (let round = 0; round < 5; round++) assert.equal(await one.enter('connections', 'here', 1), undefined);
      assert.equal(await one.count('connections', 'here'), 1);
      await place.leave();
      await enter(one, 'connections', 'here', 1);
    },
  },
  {
    name: 'a limit of 0 lets nobody in, and keeps nothing',
    async run({ one, kept }) {
      assert.equal(await one.enter('connections', 'here', 0), undefined);
      assert.equal(await kept(), 0);
    },
  },
  {
    name: 'the limit is that of the asking: a lower one lets nobody in, a higher one does, and who is in stays',
    async run({ one }) {
      for (let count = 0; count < 3; count++) await enter(one, 'connections', 'here', 3);
      assert.equal(await one.enter('connections', 'here', 2), undefined);
      await enter(one, 'connections', 'here', 4);
      assert.equal(await one.count('connections', 'here'), 4);
    },
  },
  {
    name: 'while many come and go at once, never more are in than the limit says',
    async run({ one, other }) {
      const pauses = numbers(4);
      const inside = new Map<string, number>();
      let served = 0;
      const guests = Array.from({ length: 200 }, async (_, guest) => {
        const key = guest % 3 === 0 ? 'busy' : 'busier';
        const limit = key === 'busy' ? 2 : 5;
        await turns(pauses.next().value);
        const place = await (guest % 2 === 0 ? one : other).enter('dynos-of-user', key, limit);
        if (place === undefined) return;
        inside.set(key, (inside.get(key) ?? 0) + 1);
        assert.ok((inside.get(key) ?? 0) <= limit, `${inside.get(key)} are in, and ${limit} may be`);
        served += 1;
        await turns(pauses.next().value);
        inside.set(key, (inside.get(key) ?? 0) - 1);
        await place.leave();
      });
      await within(Promise.all(guests), 'all guests');
      assert.ok(served >= 7, `${served} got a place`);
      for (const key of ['busy', 'busier']) assert.equal(await one.count('dynos-of-user', key), 0);
    },
  },
];

const leaving: readonly Promised<ThrottleHarness>[] = [
  {
    name: 'a place that was given back is free for the next one, over both handles',
    async run({ one, other }) {
      const place = await enter(one, 'dynos', 'here', 1);
      assert.equal(await other.enter('dynos', 'here', 1), undefined);
      await place.leave();
      await enter(other, 'dynos', 'here', 1);
    },
  },
  {
    name: 'leaving again changes nothing, at once or when somebody else has the place',
    async run({ one }) {
      const stays = await enter(one, 'dynos', 'here', 2);
      const leaves = await enter(one, 'dynos', 'here', 2);
      await Promise.all([leaves.leave(), leaves.leave()]);
      assert.equal(await one.count('dynos', 'here'), 1);
      await enter(one, 'dynos', 'here', 2);
      await leaves.leave();
      assert.equal(await one.count('dynos', 'here'), 2);
      assert.equal(await one.enter('dynos', 'here', 2), undefined);
      await stays.leave();
    },
  },
  {
    name: 'nothing is left behind: a thousand strangers that came and went are not remembered',
    async run({ one, other, kept }) {
      const strangers = Array.from({ length: 1000 }, async (_, n) => {
        const place = await (n % 2 === 0 ? one : other).enter('unauthenticated-of-source', `198.51.100.${n}`, 3);
        assert.ok(place !== undefined);
        return place;
      });
      const places = await within(Promise.all(strangers), 'all places');
      assert.equal(await kept(), 1000);
      await within(Promise.all(places.map((place) => place.leave())), 'all to leave');
      assert.equal(await kept(), 0);
    },
  },
];
