import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_ADMISSION_LIMITS } from '../../src/domain/admission-policy.js';
import { displacedBy, dynoCounts, nextInLine } from '../../src/domain/dyno-queue.js';

interface Asker {
  readonly user: string;
  readonly connection: string;
  readonly n: number;
}

/** `'ab a'`: those who ask, by the first letters of their users, in the order of their coming. */
function askers(users: string): readonly Asker[] {
  return [...users].map((user, n) => ({ user, connection: `c-${n}`, n }));
}

test('a dyno counts for its connection, its user and the machine, and is refused for the narrowest', () => {
  expect(dynoCounts({ user: 'alice', connection: 'c-1' }, DEFAULT_ADMISSION_LIMITS)).toEqual([
    { full: 'connection', counted: 'dynos-of-connection', key: 'c-1', limit: 10 },
    { full: 'user', counted: 'dynos-of-user', key: 'alice', limit: 16 },
    { full: 'server', counted: 'dynos', key: 'all', limit: 32 },
  ]);
});

describe('whose turn it is', () => {
  test.each([
    ['nobody’s, where nobody asks', '', {}, undefined],
    ['the only one’s', 'a', { a: 9 }, 0],
    ['the first one’s, among those of one user', 'aaa', { a: 3 }, 0],
    ['the first one’s, among users with equally many dynos', 'bab', { a: 2, b: 2 }, 0],
    ['that of the user with the fewest, before all who came earlier', 'aaab', { a: 2, b: 1 }, 3],
    ['the first one’s of that user', 'abab', { a: 2, b: 1 }, 1],
    ['that of a user who has none', 'abc', { a: 1, b: 1 }, 2],
    ['the first of several with none', 'abcb', { a: 1 }, 1],
  ] as [string, string, Record<string, number>, number | undefined][])('%s', (_, users, running, expected) => {
    expect(nextInLine(askers(users), (user) => running[user] ?? 0)?.n).toBe(expected);
  });

  test('given one by one, dynos go round the users in turn, whoever asked first and for how many', () => {
    const asking = [...askers('aaaabbc')];
    const running: Record<string, number> = {};
    const served: string[] = [];
    for (let next = nextInLine(asking, (user) => running[user] ?? 0); next !== undefined;) {
      asking.splice(asking.indexOf(next), 1);
      running[next.user] = (running[next.user] ?? 0) + 1;
      served.push(`${next.user}${next.n}`);
      next = nextInLine(asking, (user) => running[user] ?? 0);
    }
    expect(served).toEqual(['a0', 'b4', 'c6', 'a1', 'b5', 'a2', 'a3']);
  });

  test('never that of one who could be asked to let another go first', () => {
    const state = fc.record({
      users: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 30 }),
      running: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(5)),
    });
    fc.assert(
      fc.property(state, ({ users, running }) => {
        const of = (user: string) => (Object.hasOwn(running, user) ? (running[user] ?? 0) : 0);
        const asking = askers(users.join(''));
        const next = nextInLine(asking, of);
        if (next === undefined) throw new Error('somebody asks');
        for (const asker of asking) {
          expect(of(asker.user)).toBeGreaterThanOrEqual(of(next.user));
          if (asker.n < next.n) expect(of(asker.user)).toBeGreaterThan(of(next.user));
        }
      }),
    );
  });
});

describe('who gives up a place in a full queue', () => {
  test.each([
    ['nobody, where it has no places', 'b', '', undefined],
    ['nobody, for one more of the same user', 'a', 'aaa', undefined],
    ['nobody, where each user has one', 'c', 'ab', undefined],
    ['nobody, for a user who would have as many as the other had', 'b', 'abab', undefined],
    ['nobody, for a user who would have more than the other is left with', 'b', 'aab', undefined],
    ['the last of the user who has most', 'c', 'abaab', 3],
    ['the last of one who fills it alone', 'b', 'aaaa', 3],
    ['the last one’s of several who have most', 'c', 'aabb', 3],
    ['the last of the user who has most, also for one who has some', 'b', 'aaaab', 3],
  ])('%s', (_, newcomer, queued, expected) => {
    expect(displacedBy({ user: newcomer, connection: 'c-new' }, askers(queued))?.n).toBe(expected);
  });

  test('however many ask in whatever order, each of three users who want it has a third of it in the end', () => {
    const places = 12;
    const coming = fc.shuffledSubarray([...'a'.repeat(40), ...'b'.repeat(20), ...'c'.repeat(12)], { minLength: 72 });
    fc.assert(
      fc.property(coming, (users) => {
        const queue: Asker[] = [];
        for (const asker of askers(users.join(''))) {
          const displaced = queue.length < places ? undefined : displacedBy(asker, queue);
          if (displaced !== undefined) queue.splice(queue.indexOf(displaced), 1);
          if (queue.length < places) queue.push(asker);
        }
        for (const user of 'abc') expect(queue.filter((asker) => asker.user === user)).toHaveLength(4);
      }),
    );
  });
});
