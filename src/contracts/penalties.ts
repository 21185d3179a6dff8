import assert from 'node:assert/strict';
import type { Offence, PenaltyBounds, PenaltySubject } from '../domain/penalty-policy.js';
import type { AddedPenalty, Penalties } from '../ports/penalties.js';
import {
  assertFault,
  casesOf,
  rejectionOf,
  within,
  type ContractCase,
  type Harness,
  type Promised,
} from './contract.js';

/** Two handles on the same penalties, as two servers that share a state have. */
export interface PenaltiesHarness extends Harness {
  readonly one: Penalties;
  readonly other: Penalties;
  /** How many subjects are kept at most. Small, so that a case can fill it. */
  readonly most: number;
  /** Milliseconds since the epoch, by the clock that `until` is told in. */
  now(): number;
  /** Lets time pass for the penalties. */
  pass(ms: number): Promise<void>;
  /** How many subjects something is kept of at all, run off or not. */
  kept(): Promise<number>;
  /** From now on the state of `one` does not answer. */
  breakDown(): Promise<void>;
}

export function penaltiesContract(open: () => Promise<PenaltiesHarness>): readonly ContractCase[] {
  return casesOf(open, [], [...adding, ...forgetting]);
}

const BOUNDS: PenaltyBounds = { minMs: 15_000, maxMs: 60_000 };
/** What a state with a clock of its own may have it off by. */
const SLACK_MS = 2_000;

const alice: PenaltySubject = { kind: 'user', name: 'alice' };
const key: PenaltySubject = { kind: 'key', fingerprint: `SHA256:${'A'.repeat(43)}` };
const SUBJECTS: readonly PenaltySubject[] = [
  { kind: 'address', source: '192.0.2.7' },
  { kind: 'address', source: '2001:db8::/64' },
  { kind: 'address', source: 'alice' },
  alice,
  { kind: 'user', name: '__proto__' },
  { kind: 'user', name: 'a b*' },
  key,
];

function add(penalties: Penalties, subject: PenaltySubject, ms: number, offence: Offence = 'failed-login') {
  return within(penalties.add(subject, offence, ms, BOUNDS), 'a penalty to be added');
}

async function subjectsOf(penalties: Penalties): Promise<readonly PenaltySubject[]> {
  return Array.from(await within(penalties.list(), 'the list'), ({ subject }) => subject);
}

function near(actual: number | undefined, expected: number, what: string): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= SLACK_MS, `${what}: ${actual}, and not ${expected}`);
}

const adding: readonly Promised<PenaltiesHarness>[] = [
  {
    name: 'penalties add up for both handles, and count from when they have reached the least on',
    async run({ one, other, now }) {
      const told: AddedPenalty[] = [];
      for (const penalties of [one, other, one, other]) told.push(await add(penalties, alice, 5_000));
      const lasting = told.map(({ until }) => until - now());
      for (const [at, ms] of [5_000, 10_000, 15_000, 20_000].entries()) near(lasting[at], ms, `after ${at + 1}`);
      assert.deepEqual(
        told.slice(0, 2).map(({ isEnforced }) => isEnforced),
        [false, false],
      );
      assert.equal(told[3]?.isEnforced, true);
      assert.equal(told.filter(({ hasBegun }) => hasBegun).length, 1, 'it begins once');
    },
  },
  {
    name: 'one that reaches the least at once counts at once; the offence told is the last one',
    async run({ one, other, now }) {
      const { isEnforced, hasBegun } = await add(one, key, 15_000, 'broken-protocol');
      assert.deepEqual([isEnforced, hasBegun], [true, true]);
      await add(one, key, 1_000, 'no-login');
      const penalty = await within(other.of(key), 'what is held against a key');
      assert.deepEqual([penalty?.isEnforced, penalty?.offence], [true, 'no-login']);
      near(penalty?.until, now() + 16_000, 'its end');
    },
  },
  {
    name: 'no penalty lasts longer than the most from its last offence on',
    async run({ one, now }) {
      for (let times = 0; times < 4; times++) await add(one, alice, 25_000);
      near((await one.of(alice))?.until, now() + 60_000, 'the end after four');
      const { until } = await add(one, key, 90_000);
      near(until, now() + 60_000, 'the end after one that is longer by itself');
    },
  },
  {
    name: 'one that counts does so until it has run off, whatever is left of it',
    async run({ one, pass }) {
      await add(one, alice, 20_000);
      await pass(17_000);
      assert.equal((await one.of(alice))?.isEnforced, true);
      const more = await add(one, alice, 1_000);
      assert.deepEqual([more.isEnforced, more.hasBegun], [true, false]);
    },
  },
  {
    name: 'each subject is held to its own, whatever is in its name',
    async run({ one, other }) {
      for (const [at, subject] of SUBJECTS.entries()) await add(one, subject, 15_000 + at * 5_000);
      assert.deepEqual(await subjectsOf(other), [...SUBJECTS].reverse());
      assert.equal(await one.of({ kind: 'user', name: 'bob' }), undefined);
    },
  },
  {
    name: 'of many that are added at once none is lost',
    async run({ one, other, now }) {
      const offences = Array.from({ length: 40 }, (_, n) => add(n % 2 === 0 ? one : other, alice, 1_000));
      const told = await Promise.all(offences);
      near((await one.of(alice))?.until, now() + 40_000, 'the end of forty');
      assert.equal(told.filter(({ hasBegun }) => hasBegun).length, 1, 'it begins once');
    },
  },
];

const forgetting: readonly Promised<PenaltiesHarness>[] = [
  {
    name: 'what has run off is not there any more, and is not kept for ever',
    async run({ one, other, pass, kept }) {
      await add(one, alice, 20_000);
      await add(one, key, 30_000);
      await pass(22_500);
      assert.equal(await other.of(alice), undefined);
      assert.deepEqual(await subjectsOf(other), [key]);
      const anew = await add(other, alice, 5_000);
      assert.deepEqual([anew.isEnforced, anew.hasBegun], [false, false]);
      await pass(60_000);
      await add(one, { kind: 'user', name: 'bob' }, 5_000);
      assert.equal(await kept(), 1);
    },
  },
  {
    name: 'of more than are kept those go that are over soonest',
    async run({ one, most, kept }) {
      const nth = (n: number): PenaltySubject => ({ kind: 'user', name: `user-${n}` });
      await add(one, alice, 1_000);
      for (let n = 0; n < most; n++) await add(one, nth(n), 20_000 + n * 2_500);
      assert.equal(await kept(), most);
      assert.equal(await one.of(alice), undefined);
      for (let n = 0; n < most; n++) assert.equal((await one.of(nth(n)))?.isEnforced, true);
    },
  },
  {
    name: 'one subject is cleared, for both handles, and no other; the number that were is told',
    async run({ one, other }) {
      await add(one, alice, 20_000);
      await add(one, key, 20_000);
      assert.equal(await within(other.clear(alice), 'the clearing'), 1);
      assert.equal(await other.clear(alice), 0);
      assert.equal(await one.of(alice), undefined);
      assert.equal((await one.of(key))?.isEnforced, true);
    },
  },
  {
    name: 'all are cleared',
    async run({ one, other, kept }) {
      for (const subject of SUBJECTS) await add(one, subject, 20_000);
      assert.equal(await within(other.clear('all'), 'the clearing'), SUBJECTS.length);
      assert.deepEqual(await subjectsOf(one), []);
      assert.equal(await kept(), 0);
      assert.equal(await other.clear('all'), 0);
    },
  },
  {
    name: 'a state that is away is a fault, whatever is asked of it',
    async run({ one, breakDown }) {
      await breakDown();
      for (const asked of [
        () => one.add(alice, 'failed-login', 5_000, BOUNDS),
        () => one.of(alice),
        () => one.list(),
        () => one.clear('all'),
      ]) {
        assertFault(await rejectionOf(asked()), 'identify');
      }
    },
  },
];
