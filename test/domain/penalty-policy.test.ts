/** Penalties: what is charged for what, how it adds up and runs off, and what follows. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_ADMISSION_LIMITS } from '../../src/domain/admission-policy.js';
import {
  addPenalty,
  addressSubject,
  DEFAULT_PENALTY_RULES,
  isOffence,
  limitsFor,
  offenceOfRefusal,
  offencesOfStranger,
  penalisedRefusal,
  subjectOf,
  shareOfUser,
  subjectsOfCaller,
  subjectText,
  type Offence,
  type Penalty,
  type PenaltySubject,
} from '../../src/domain/penalty-policy.js';
import type { Refusal } from '../../src/domain/refusal.js';
import type { TurnedAway } from '../../src/domain/words/turned-away.js';
import { tooOften } from '../../src/domain/words/penalties.js';

const RULES = DEFAULT_PENALTY_RULES;
const NOW = Date.UTC(2026, 0, 1);
const S = 1_000;

/** Offences of so many seconds each, at these seconds. */
function added(...offences: readonly (readonly [at: number, seconds: number])[]): Penalty | undefined {
  return offences.reduce<Penalty | undefined>(
    (penalty, [at, seconds]) => addPenalty(penalty, 'failed-login', seconds * S, RULES, NOW + at * S),
    undefined,
  );
}

describe('penalties', () => {
  // Least 15 s, most 600 s: sshd_config(5), PerSourcePenalties.
  test.each([
    ['a single one is not enforced', [[0, 5]], 5, false],
    ['they add up', [[0, 5], [0, 5]], 10, false], // prettier-ignore
    ['they are enforced once they have reached the least', [[0, 5], [0, 5], [0, 5]], 15, true], // prettier-ignore
    ['what has run off does not count', [[0, 5], [2, 5], [4, 5]], 15, false], // prettier-ignore
    ['one as long as the least is enforced at once', [[0, 15]], 15, true],
    ['once enforced they stay so until they have run off', [[0, 15], [14, 1]], 16, true], // prettier-ignore
    ['run off, they begin anew', [[0, 15], [15, 5]], 20, false], // prettier-ignore
    ['they never last longer than the most from now', [[0, 400], [10, 400]], 610, true], // prettier-ignore
    ['not even the first', [[0, 700]], 600, true],
  ] as const)('%s', (_, offences, until, isEnforced) => {
    expect(added(...offences)).toEqual({ until: NOW + until * S, isEnforced, offence: 'failed-login' });
  });

  test('tell the last offence', () => {
    const before = addPenalty(undefined, 'failed-login', 15 * S, RULES, NOW);
    expect(addPenalty(before, 'no-login', S, RULES, NOW)).toMatchObject({ offence: 'no-login', isEnforced: true });
  });

  test('never end earlier by an offence more, never later than the most, and stay enforced', () => {
    const offence = fc.tuple(fc.nat(1_000_000), fc.nat(700_000));
    fc.assert(
      fc.property(fc.array(offence, { minLength: 1 }), (offences) => {
        let now = NOW;
        let penalty: Penalty | undefined;
        for (const [laterMs, ms] of offences) {
          now += laterMs;
          const before = penalty !== undefined && penalty.until > now ? penalty : undefined;
          penalty = addPenalty(penalty, 'failed-login', ms, RULES, now);
          expect(penalty.until).toBeLessThanOrEqual(now + RULES.maxMs);
          if (before?.isEnforced === true) expect(penalty.isEnforced).toBe(true);
          if (before !== undefined) expect(penalty.until).toBeGreaterThanOrEqual(before.until);
        }
      }),
    );
  });
});

/** What each end says of a stranger; the compiler sees that none is missing. */
const ENDS: Readonly<Record<TurnedAway, Offence | 'like leaving' | 'nothing'>> = {
  'too-many-connections': 'nothing',
  'too-many-connections-of-user': 'nothing',
  'too-many-strangers': 'nothing',
  'no-keys-agreed': 'nothing',
  idle: 'nothing',
  'keepalive-timeout': 'nothing',
  'no-proxy-header': 'nothing',
  'bad-proxy-header': 'nothing',
  'proxy-header-timeout': 'nothing',
  'too-many-failures': 'like leaving',
  'too-many-offers': 'like leaving',
  'login-timeout': 'late-login',
  'identification-timeout': 'late-login',
  'key-exchange-timeout': 'late-login',
  'too-many-pending-logins': 'broken-protocol',
  'unread-output': 'broken-protocol',
  'stalled-output': 'broken-protocol',
  'too-many-key-exchanges': 'broken-protocol',
  'message-before-login': 'broken-protocol',
  'message-out-of-place': 'broken-protocol',
  'window-exceeded': 'broken-protocol',
  'bad-identification': 'broken-protocol',
  'untrusted-proxy': 'broken-protocol',
  'broken-protocol': 'broken-protocol',
};

describe('a connection that nobody has logged in over', () => {
  test.each([
    ['said nothing', 0, false, []],
    ['offered keys that are not registered', 0, true, ['no-login']],
    ['failed twice', 2, true, ['failed-login', 'failed-login']],
  ] as const)('and that %s before it left is charged for it', (_, failures, hasTried, offences) => {
    expect(offencesOfStranger({ failures, hasTried })).toEqual(offences);
  });

  test.each(Object.entries(ENDS) as [TurnedAway, (typeof ENDS)[TurnedAway]][])(
    'and that was ended for %s is charged with: %s',
    (reason, charged) => {
      const of = (failures: number, hasTried: boolean) => offencesOfStranger({ reason, failures, hasTried });
      const own = isOffence(charged) ? [charged] : [];
      expect(of(0, false)).toEqual(own);
      expect(of(0, true)).toEqual(charged === 'like leaving' ? ['no-login'] : own);
      expect(of(1, true)).toEqual(['failed-login', ...own]);
    },
  );
});

describe('a refusal', () => {
  const refusals: readonly (readonly [Refusal, Offence | undefined])[] = [
    [{ kind: 'no-access', app: 'shop', service: 'git-upload-pack' }, 'no-access'],
    [{ kind: 'key-bound', app: 'shop', to: 'apps' }, 'no-access'],
    [{ kind: 'too-fast', app: 'shop', limit: 600, waitMs: 1 }, 'too-fast'],
    [{ kind: 'penalised', whose: 'key', offence: 'no-access', waitMs: 1 }, undefined],
    [{ kind: 'archive-off', app: 'shop' }, undefined],
    [{ kind: 'platform', reason: 'maintenance', text: 'later' }, undefined],
    [{ kind: 'draining' }, undefined],
  ];
  test.each(refusals)('%j costs its caller: %s', (refusal, offence) => {
    expect(offenceOfRefusal(refusal)).toBe(offence);
  });

  test('is held against a key and its user', () => {
    expect(subjectsOfCaller({ user: { name: 'alice' }, key: { sha256: 'SHA256:k' } })).toEqual([
      { kind: 'key', fingerprint: 'SHA256:k' },
      { kind: 'user', name: 'alice' },
    ]);
  });

  const notYet = { isEnforced: false, hasBegun: false };
  const begins = { isEnforced: true, hasBegun: true };
  const hasToPause = { isEnforced: true, hasBegun: false };
  const noAccess: Refusal = { kind: 'no-access', app: 'shop', service: 'git-upload-pack' };
  const keyBound: Refusal = { kind: 'key-bound', app: 'shop', to: 'apps' };

  test.each([
    ['half of it while the key need not pause', {}, noAccess, 5, notYet, 2.5],
    ['half of it where the key has to pause for it', {}, noAccess, 5, begins, 2.5],
    ['nothing once the key has to pause', {}, noAccess, 5, hasToPause, 0],
    ['half of the least that is enforced, where it costs more than that', {}, noAccess, 600, begins, 7.5],
    ['nothing where the key is bound to apps', { binding: { apps: ['blog'] } }, noAccess, 5, notYet, 0],
    ['nothing where the key is bound to reading', { binding: { access: 'read' } }, noAccess, 5, begins, 0],
    ['nothing where the key is told that it is bound', {}, keyBound, 5, notYet, 0],
  ] as const)('costs the user %s', (_, user, refusal, seconds, ofKey, share) => {
    expect(shareOfUser(user, refusal, seconds * S, ofKey, { minMs: 15 * S })).toBe(share * S);
  });
});

describe('a caller', () => {
  const enforced = (seconds: number): Penalty => ({ until: NOW + seconds * S, isEnforced: true, offence: 'no-access' });
  const notYet: Penalty = { until: NOW + 10 * S, isEnforced: false, offence: 'no-access' };

  test.each([
    ['with nothing against them', undefined, undefined, undefined],
    ['with less than is enforced', notYet, notYet, undefined],
    ['with what has just run off', enforced(0), undefined, undefined],
    ['whose key has to pause', enforced(40), notYet, ['key', 40]],
    ['whose account has to pause', notYet, enforced(40), ['user', 40]],
    ['for both of them', enforced(20), enforced(40), ['user', 40]],
    ['for both, and longer for the key', enforced(50), enforced(40), ['key', 50]],
  ] as const)('%s', (_, ofKey, ofUser, told) => {
    const refusal = penalisedRefusal(ofKey, ofUser, NOW);
    expect(refusal && [refusal.whose, refusal.waitMs / S]).toEqual(told);
  });
});

test('strangers of a penalised address may try less, and never more than the limits say', () => {
  const { loginMs, failedTries, offers, failureDelayMs } = DEFAULT_ADMISSION_LIMITS;
  expect(limitsFor(false, DEFAULT_ADMISSION_LIMITS)).toBe(DEFAULT_ADMISSION_LIMITS);
  expect({ loginMs, failedTries, offers }).toEqual({ loginMs: 30_000, failedTries: 6, offers: 20 });
  const restricted = { loginMs: 10_000, failedTries: 1, offers: 6 };
  expect(limitsFor(true, DEFAULT_ADMISSION_LIMITS)).toMatchObject({ ...restricted, failureDelayMs });
  const tight = { loginMs: 5_000, failedTries: 1, offers: 2, failureDelayMs: 0 };
  expect(limitsFor(true, tight)).toEqual(tight);
});

describe('a subject', () => {
  const texts: readonly (readonly [string, PenaltySubject])[] = [
    ['192.0.2.7', { kind: 'address', source: '192.0.2.7' }],
    ['2001:db8::/64', { kind: 'address', source: '2001:db8::/64' }],
    ['user:alice', { kind: 'user', name: 'alice' }],
    ['user:SHA256:x', { kind: 'user', name: 'SHA256:x' }],
    ['SHA256:abc', { kind: 'key', fingerprint: 'SHA256:abc' }],
  ];
  test.each(texts)('%s is written and read as itself', (text, subject) => {
    expect(subjectText(subject)).toBe(text);
    expect(subjectOf(text)).toEqual(subject);
  });

  test('of an address is its source, as people may write it', () => {
    expect(subjectOf('2001:DB8::17')).toEqual(addressSubject('2001:db8::1'));
    expect(subjectOf('::ffff:192.0.2.7')).toEqual(addressSubject('192.0.2.7'));
  });
});

test('each offence is told in words of its own', () => {
  const offences = Object.keys(RULES.offencesMs).filter(isOffence);
  expect(new Set(offences.map(tooOften)).size).toBe(offences.length);
  for (const offence of offences) expect(tooOften(offence)).toMatch(/^too many /);
  expect(isOffence('constructor')).toBe(false);
});
