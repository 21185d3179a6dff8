import assert from 'node:assert/strict';
import type { RateLimiter } from '../ports/rate-limiter.js';
import {
  assertFault,
  casesOf,
  rejectionOf,
  until,
  within,
  type ContractCase,
  type Harness,
  type Promised,
} from './contract.js';

/** Two handles on the same counts, as two servers that share a state have. */
export interface RateLimiterHarness extends Harness {
  readonly one: RateLimiter;
  readonly other: RateLimiter;
  /** From now on the state of `one` does not answer. */
  breakDown(): Promise<void>;
}

export function rateLimiterContract(open: () => Promise<RateLimiterHarness>): readonly ContractCase[] {
  return casesOf(open, [], promises);
}

const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

function spend(limiter: RateLimiter, key: string, limit: number, perMs = MINUTE_MS): Promise<number | undefined> {
  return within(limiter.spend(key, limit, perMs), 'the answer of the limiter');
}

function assertTooMany(waitMs: number | undefined, perMs: number): void {
  assert.ok(waitMs !== undefined, 'it was to be one too many');
  assert.ok(waitMs > 0 && waitMs <= perMs, `the next may be in ${waitMs} ms, and was to be within ${perMs}`);
}

const promises: readonly Promised<RateLimiterHarness>[] = [
  {
    name: 'as many may be as the limit says, over both handles, and one more must wait',
    async run({ one, other }) {
      for (const limiter of [one, other, one]) assert.equal(await spend(limiter, 'alice shop', 3), undefined);
      for (const limiter of [one, other]) assertTooMany(await spend(limiter, 'alice shop', 3), MINUTE_MS);
    },
  },
  {
    name: 'each key is counted apart, whatever is in it',
    async run({ one }) {
      for (const key of ['alice shop', 'alice shop*', 'alice', '__proto__', 'a:b', "a'b"]) {
        assert.equal(await spend(one, key, 1), undefined, key);
        assertTooMany(await spend(one, key, 1), MINUTE_MS);
      }
    },
  },
  {
    name: 'of many that come at once as many may be as the limit says',
    async run({ one, other }) {
      const asked = Array.from({ length: 50 }, (_, n) => spend(n % 2 === 0 ? one : other, 'crowd', 7));
      const answers = await Promise.all(asked);
      assert.equal(answers.filter((waitMs) => waitMs === undefined).length, 7);
    },
  },
  {
    name: 'the limit is that of the asking: a higher one lets in, a lower one does not',
    async run({ one }) {
      for (let count = 0; count < 3; count++) assert.equal(await spend(one, 'alice', 3), undefined);
      assert.equal(await spend(one, 'alice', 4), undefined);
      assertTooMany(await spend(one, 'alice', 2), MINUTE_MS);
    },
  },
  {
    name: 'once the time is over the next may be, and not before the time that was told',
    async run({ one }) {
      assert.equal(await spend(one, 'alice', 1, SECOND_MS), undefined);
      const since = performance.now();
      const waitMs = await spend(one, 'alice', 1, SECOND_MS);
      assertTooMany(waitMs, SECOND_MS);
      await until(async () => (await spend(one, 'alice', 1, SECOND_MS)) === undefined, 'the next may be');
      const waited = performance.now() - since;
      assert.ok(waited > (waitMs ?? 0) - 50 && waited < 2 * SECOND_MS, `waited ${waited} ms, told ${waitMs}`);
    },
  },
  {
    name: 'a state that is away is a fault',
    async run({ one, breakDown }) {
      await breakDown();
      assertFault(await rejectionOf(one.spend('alice', 1, MINUTE_MS)), 'authorize');
    },
  },
];
