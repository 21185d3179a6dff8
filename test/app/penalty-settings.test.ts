/** Each rule of the penalty policy: its setting, its default, and what is said of a wrong one. */
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig } from '../../src/app/config.js';
import { Exemptions } from '../../src/app/exemptions.js';
import type { PENALTY_SETTINGS } from '../../src/app/penalty-settings.js';
import { DEFAULT_PENALTY_RULES, type Offence, type PenaltyRules } from '../../src/domain/penalty-policy.js';

type Name = keyof typeof PENALTY_SETTINGS;

function rules(environment: Partial<Record<Name, string>> = {}): PenaltyRules {
  return readConfig({}, environment).penalties;
}

function problemsOf(environment: Partial<Record<Name, string>>): readonly string[] {
  try {
    rules(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('with nothing set they are those of the domain', () => {
  expect(rules()).toEqual(DEFAULT_PENALTY_RULES);
});

test.each([
  ['GITMOUTH_PENALTIES', 'off', { isOn: false }],
  ['GITMOUTH_PENALTY_MIN_SECONDS', '7', { minMs: 7_000 }],
  ['GITMOUTH_PENALTY_MAX_SECONDS', '3600', { maxMs: 3_600_000 }],
  ['GITMOUTH_SESSIONS_PER_MINUTE', '0', { sessionsPerMinute: 0 }],
  ['GITMOUTH_PENALTY_EXEMPT', '192.0.2.7, user:ci', { exempt: ['192.0.2.7', 'user:ci'] }],
] as const)('%s=%s is that rule and no other', (name, value, changed) => {
  expect(rules({ [name]: value })).toEqual({ ...DEFAULT_PENALTY_RULES, ...changed });
});

test.each([
  ['GITMOUTH_PENALTY_FAILED_LOGIN_SECONDS', 'failed-login'],
  ['GITMOUTH_PENALTY_NO_LOGIN_SECONDS', 'no-login'],
  ['GITMOUTH_PENALTY_LATE_LOGIN_SECONDS', 'late-login'],
  ['GITMOUTH_PENALTY_BROKEN_PROTOCOL_SECONDS', 'broken-protocol'],
  ['GITMOUTH_PENALTY_NO_ACCESS_SECONDS', 'no-access'],
  ['GITMOUTH_PENALTY_TOO_FAST_SECONDS', 'too-fast'],
] as const satisfies readonly (readonly [Name, Offence])[])('%s is what %s costs', (name, offence) => {
  const { offencesMs } = DEFAULT_PENALTY_RULES;
  expect(rules({ [name]: '7' }).offencesMs).toEqual({ ...offencesMs, [offence]: 7_000 });
});

describe('a wrong one is told', () => {
  test.each([
    ['GITMOUTH_PENALTIES', 'yes', 'must be on or off'],
    ['GITMOUTH_PENALTY_MAX_SECONDS', '0', 'must be a whole number from 1 to 604800'],
    ['GITMOUTH_PENALTY_NO_ACCESS_SECONDS', '-1', 'must be a whole number from 0 to 604800'],
    ['GITMOUTH_SESSIONS_PER_MINUTE', 'many', 'must be a whole number from 0 to 1000000'],
    ['GITMOUTH_PENALTY_EXEMPT', '192.0.2.7,example.com', "'example.com' is none"],
    ['GITMOUTH_PENALTY_EXEMPT', '192.0.2.0/33', "'192.0.2.0/33' is none"],
    ['GITMOUTH_PENALTY_EXEMPT', '2001:db8::/129', "'2001:db8::/129' is none"],
    ['GITMOUTH_PENALTY_EXEMPT', '192.0.2.0/', "'192.0.2.0/' is none"],
    ['GITMOUTH_PENALTY_EXEMPT', 'user:', "'user:' is none"],
    ['GITMOUTH_PENALTY_EXEMPT', '192.0.2.7,', "'' is none"],
  ] as const)('%s=%s', (name, value, why) => {
    const [problem, ...more] = problemsOf({ [name]: value });
    expect(more).toEqual([]);
    expect(problem).toContain(name);
    expect(problem).toContain(why);
  });

  test('when nothing would ever be enforced', () => {
    expect(problemsOf({ GITMOUTH_PENALTY_MIN_SECONDS: '20', GITMOUTH_PENALTY_MAX_SECONDS: '10' })).toEqual([
      "GITMOUTH_PENALTY_MIN_SECONDS must be at most GITMOUTH_PENALTY_MAX_SECONDS, which is 10; it is '20'",
    ]);
  });
});

test('exempt are exactly those of an address, a network or a name', () => {
  const exempt = new Exemptions(['192.0.2.7', '198.51.100.0/24', '2001:db8::/32', 'fe80::1', 'user:ci']);
  const addresses = ['192.0.2.7', '198.51.100.255', '2001:db8:1::5', 'fe80::1%eth0'];
  for (const address of addresses) expect([address, exempt.hasAddress(address)]).toEqual([address, true]);
  for (const address of ['192.0.2.8', '198.51.101.0', '2001:db9::', 'fe80::2', 'nonsense', '']) {
    expect([address, exempt.hasAddress(address)]).toEqual([address, false]);
  }
  expect([exempt.hasUser('ci'), exempt.hasUser('c'), exempt.hasUser('192.0.2.7')]).toEqual([true, false, false]);
});
