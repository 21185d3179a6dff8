/** Who is let in before the log-in: the numbers of OpenSSH's MaxStartups, and a share for each source. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_ADMISSION_LIMITS, decideUnauthenticated } from '../../src/domain/admission-policy.js';

/** OpenSSH's default: MaxStartups 10:30:100. */
const OPENSSH = { unauthenticated: 100, unauthenticatedDropFrom: 10, unauthenticatedPerSource: 32 };
const LIMITS = DEFAULT_ADMISSION_LIMITS;
const ALMOST_ONE = 1 - Number.EPSILON;

/** Of 100,000 strangers that come when `total` are there, how many are refused. */
function dropped(total: number, limits: typeof OPENSSH): number {
  let refused = 0;
  for (let n = 0; n < 100_000; n++) {
    if (decideUnauthenticated({ total, ofSource: 0 }, limits, n / 100_000) === 'refuse') refused += 1;
  }
  return refused;
}

describe('a stranger', () => {
  test.each([
    [0, 0],
    [49, 0],
    [50, 0.3],
    [75, 0.65],
    [99, 0.986],
    [100, 1],
    [101, 1],
  ])('by the defaults, when %d are there, is refused with a chance of %d', (total, chance) => {
    expect(dropped(total, LIMITS) / 100_000).toBeCloseTo(chance, 4);
  });

  // What sshd's should_drop_connection computes, in whole percents: 100 - 30, times the place between 10 and 100, plus 30.
  test.each([
    [9, 0],
    [10, 30],
    [11, 30],
    [28, 44],
    [55, 65],
    [99, 99],
    [100, 100],
  ])('by the numbers of OpenSSH, when %d are there, is refused at %d of 100', (total, percent) => {
    expect(Math.floor(dropped(total, OPENSSH) / 1000)).toBe(percent);
  });

  test.each([
    ['before the dropping begins, is let in whatever chance says', 49, 0, 'admit'],
    ['where it begins, is refused by a chance below three tenths', 50, 0.299_999, 'refuse'],
    ['where it begins, is let in by a chance of three tenths', 50, 0.3, 'admit'],
    ['at the last place, is let in by the highest chance', 99, ALMOST_ONE, 'admit'],
    ['when all places are taken, is refused whatever chance says', 100, ALMOST_ONE, 'refuse'],
  ] as const)('%s', (_, total, random, decision) => {
    expect(decideUnauthenticated({ total, ofSource: 0 }, LIMITS, random)).toBe(decision);
  });

  test('of a source with one place left is let in, and with none takes the place of another one of it', () => {
    expect(decideUnauthenticated({ total: 31, ofSource: 31 }, LIMITS, 0)).toBe('admit');
    expect(decideUnauthenticated({ total: 32, ofSource: 32 }, LIMITS, 0)).toBe('replace');
    expect(decideUnauthenticated({ total: 40, ofSource: 33 }, LIMITS, 0)).toBe('replace');
  });

  test.each([50, 99, 100, 200])('of a source with no place left takes one of it also when %d are there', (total) => {
    for (const random of [0, 0.5, ALMOST_ONE]) {
      expect(decideUnauthenticated({ total, ofSource: 32 }, LIMITS, random)).toBe('replace');
    }
  });

  test('where the dropping begins at the total, is let in up to it and refused from it on', () => {
    const limits = { unauthenticated: 5, unauthenticatedDropFrom: 5, unauthenticatedPerSource: 5 };
    expect(decideUnauthenticated({ total: 4, ofSource: 0 }, limits, 0)).toBe('admit');
    expect(decideUnauthenticated({ total: 5, ofSource: 0 }, limits, ALMOST_ONE)).toBe('refuse');
  });
});

const anyLimits = fc
  .record({ from: fc.integer({ min: 1, max: 500 }), room: fc.nat(500), share: fc.integer({ min: 1, max: 500 }) })
  .map(({ from, room, share }) => ({
    unauthenticated: from + room,
    unauthenticatedDropFrom: from,
    unauthenticatedPerSource: share,
  }));
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('never more than the total come in, and never more than its share of one source', () => {
  fc.assert(
    fc.property(anyLimits, fc.nat(2000), fc.nat(2000), chance, (limits, total, ofSource, random) => {
      const decision = decideUnauthenticated({ total, ofSource }, limits, random);
      if (decision !== 'admit') return;
      expect(total).toBeLessThan(limits.unauthenticated);
      expect(ofSource).toBeLessThan(limits.unauthenticatedPerSource);
    }),
  );
});

test('the more are there, the likelier one is refused', () => {
  fc.assert(
    fc.property(anyLimits, fc.nat(1000), fc.nat(50), chance, (limits, total, more, random) => {
      const [fewer, many] = [total, total + more].map((there) =>
        decideUnauthenticated({ total: there, ofSource: 0 }, limits, random),
      );
      if (fewer === 'refuse') expect(many).toBe('refuse');
    }),
  );
});
