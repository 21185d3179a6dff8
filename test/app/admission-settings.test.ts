/** Each limit of the admission policy: its setting, its default, its bounds, and what is said of a wrong one. */
import { availableParallelism } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { ADMISSION_SETTINGS, type AdmissionSetting } from '../../src/app/admission-settings.js';
import { ConfigError, readConfig, settings } from '../../src/app/config.js';
import type { AdmissionLimits } from '../../src/domain/admission-policy.js';

type Environment = Readonly<Record<string, string>>;

function admission(environment: Environment = {}, cores = 2): AdmissionLimits {
  return readConfig({}, environment, cores).admission;
}

function problemsOf(environment: Environment, cores = 2): readonly string[] {
  try {
    admission(environment, cores);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

/** What must be set beside it, so that a large or small value of one makes sense with the others. */
const BESIDE: Environment = {
  GITMOUTH_UNAUTHENTICATED: '100000',
  GITMOUTH_UNAUTHENTICATED_DROP_FROM: '1',
  GITMOUTH_UNAUTHENTICATED_PER_SOURCE: '1',
  GITMOUTH_DYNOS: '100000',
  GITMOUTH_DYNOS_PER_USER: '1',
};

const KIB = 1024;
const MIB = 1024 * KIB;

/** The limit that a setting is for, its default, the least and the most, and one of its unit. */
const TABLE: Readonly<Record<AdmissionSetting, [keyof AdmissionLimits, number, number, number, number]>> = {
  GITMOUTH_LOGIN_SECONDS: ['loginMs', 30, 1, 600, 1000],
  GITMOUTH_IDENTIFICATION_SECONDS: ['identificationMs', 10, 1, 600, 1000],
  GITMOUTH_CONNECTIONS: ['connections', 2000, 1, 100_000, 1],
  GITMOUTH_CONNECTIONS_PER_USER: ['connectionsPerUser', 64, 1, 100_000, 1],
  GITMOUTH_UNAUTHENTICATED: ['unauthenticated', 100, 1, 100_000, 1],
  GITMOUTH_UNAUTHENTICATED_DROP_FROM: ['unauthenticatedDropFrom', 50, 1, 100_000, 1],
  GITMOUTH_UNAUTHENTICATED_PER_SOURCE: ['unauthenticatedPerSource', 32, 1, 100_000, 1],
  GITMOUTH_FAILED_LOGINS: ['failedTries', 6, 1, 1000, 1],
  GITMOUTH_KEY_OFFERS: ['offers', 20, 1, 1000, 1],
  GITMOUTH_FAILURE_DELAY_MS: ['failureDelayMs', 50, 0, 10_000, 1],
  GITMOUTH_SESSIONS_PER_CONNECTION: ['sessionsPerConnection', 10, 1, 1000, 1],
  GITMOUTH_DYNOS: ['dynos', 32, 1, 100_000, 1],
  GITMOUTH_DYNOS_PER_USER: ['dynosPerUser', 16, 1, 100_000, 1],
  GITMOUTH_DYNOS_PER_CONNECTION: ['dynosPerConnection', 10, 1, 1000, 1],
  GITMOUTH_DYNO_QUEUE: ['dynoQueue', 128, 0, 10_000, 1],
  GITMOUTH_DYNO_QUEUE_SECONDS: ['dynoQueueMs', 30, 0, 3600, 1000],
  GITMOUTH_KEEPALIVE_SECONDS: ['keepaliveMs', 15, 1, 3600, 1000],
  GITMOUTH_KEEPALIVE_MISSES: ['keepaliveMisses', 3, 1, 100, 1],
  GITMOUTH_IDLE_SECONDS: ['idleMs', 60, 1, 86_400, 1000],
  GITMOUTH_UNREAD_BEFORE_LOGIN_KIB: ['unreadBytesBeforeLogin', 256, 64, 1_048_576, KIB],
  GITMOUTH_UNREAD_KIB: ['unreadBytes', 4096, 1024, 1_048_576, KIB],
  GITMOUTH_UNREAD_SECONDS: ['unreadMs', 120, 1, 86_400, 1000],
  GITMOUTH_REKEY_MIB: ['rekeyBytes', 1024, 1, 1_048_576, MIB],
  GITMOUTH_REKEY_SECONDS: ['rekeyMs', 3600, 10, 604_800, 1000],
  GITMOUTH_REKEYS_PER_MINUTE: ['rekeysPerMinute', 60, 1, 6000, 1],
  GITMOUTH_KEY_EXCHANGE_SECONDS: ['keyExchangeMs', 30, 1, 600, 1000],
};
const rows = Object.entries(TABLE) as [AdmissionSetting, (typeof TABLE)[AdmissionSetting]][];

test('each limit has one setting, and each setting a limit of its own', () => {
  const limits = rows.map(([, [limit]]) => limit);
  expect([...new Set(limits)].sort()).toEqual(Object.keys(admission()).sort());
  expect(limits).toHaveLength(Object.keys(ADMISSION_SETTINGS).length);
  expect(settings.map(({ name }) => name)).toEqual(expect.arrayContaining(rows.map(([name]) => name)));
});

describe.each(rows)('%s', (name, [limit, standard, least, most, unit]) => {
  test(`is ${standard} unless set`, () => {
    expect(admission()[limit]).toBe(standard * unit);
  });

  test(`is taken from ${least} to ${most}, in its unit, and changes nothing else`, () => {
    for (const value of [least, most]) {
      const environment = { ...BESIDE, [name]: String(value) };
      expect(admission(environment)).toEqual({ ...admission(BESIDE), [limit]: value * unit });
    }
  });

  test.each([String(least - 1), String(most + 1), '1.5', '1e3', '0x10', 'many', ' 10', '9'.repeat(13)])(
    'is not taken as %j, which is said with what it must be',
    (text) => {
      expect(problemsOf({ [name]: text })).toEqual([
        `${name} must be a whole number from ${least} to ${most}; it is '${text}'`,
      ]);
    },
  );
});

describe('dynos', () => {
  test.each([
    [1, 32, 16],
    [2, 32, 16],
    [4, 32, 16],
    [5, 40, 20],
    [64, 512, 256],
  ])('on %d cores are %d, and half of them for one user', (cores, dynos, dynosPerUser) => {
    expect(admission({}, cores)).toMatchObject({ dynos, dynosPerUser });
  });

  test('on this machine are measured by its cores', () => {
    const { dynos, dynosPerUser } = readConfig({}, {}).admission;
    expect([dynos, dynosPerUser]).toEqual([dynos, dynos / 2]);
    expect(dynos).toBe(Math.max(32, 8 * availableParallelism()));
  });

  test.each([
    ['7', 7, 3],
    ['1', 1, 1],
  ])('set to %s are half as many for one user, and at least one', (text, dynos, dynosPerUser) => {
    expect(admission({ GITMOUTH_DYNOS: text }, 64)).toMatchObject({ dynos, dynosPerUser });
  });

  test('set to nothing are as if unset', () => {
    expect(admission({ GITMOUTH_DYNOS: '', GITMOUTH_DYNOS_PER_USER: '' }, 8)).toMatchObject({
      dynos: 64,
      dynosPerUser: 32,
    });
  });
});

describe('limits that contradict each other', () => {
  test.each<[Environment, string]>([
    [
      { GITMOUTH_UNAUTHENTICATED_DROP_FROM: '101' },
      "GITMOUTH_UNAUTHENTICATED_DROP_FROM must be at most GITMOUTH_UNAUTHENTICATED, which is 100; it is '101'",
    ],
    [
      { GITMOUTH_UNAUTHENTICATED_PER_SOURCE: '200' },
      "GITMOUTH_UNAUTHENTICATED_PER_SOURCE must be at most GITMOUTH_UNAUTHENTICATED, which is 100; it is '200'",
    ],
    [
      { GITMOUTH_UNAUTHENTICATED: '40' },
      'GITMOUTH_UNAUTHENTICATED_DROP_FROM must be at most GITMOUTH_UNAUTHENTICATED, which is 40; it is 50 by default',
    ],
    [
      { GITMOUTH_DYNOS_PER_USER: '33' },
      "GITMOUTH_DYNOS_PER_USER must be at most GITMOUTH_DYNOS, which is 32; it is '33'",
    ],
    [
      { GITMOUTH_DYNOS: '4', GITMOUTH_DYNOS_PER_USER: '5' },
      "GITMOUTH_DYNOS_PER_USER must be at most GITMOUTH_DYNOS, which is 4; it is '5'",
    ],
  ])('%j: the problem says which, and what the other is', (environment, problem) => {
    expect(problemsOf(environment)).toEqual([problem]);
  });

  test('do not, where the part is all of it', () => {
    const environment = {
      GITMOUTH_UNAUTHENTICATED: '10',
      GITMOUTH_UNAUTHENTICATED_DROP_FROM: '10',
      GITMOUTH_UNAUTHENTICATED_PER_SOURCE: '10',
      GITMOUTH_DYNOS: '3',
      GITMOUTH_DYNOS_PER_USER: '3',
    };
    expect(problemsOf(environment)).toEqual([]);
  });

  test('are named together with every other problem, and nothing is said of one that could not be read', () => {
    const environment = {
      GITMOUTH_UNAUTHENTICATED_DROP_FROM: '101',
      GITMOUTH_DYNOS: 'many',
      GITMOUTH_DYNOS_PER_USER: '99999',
      GITMOUTH_LOGIN_SECONDS: '0',
    };
    expect(problemsOf(environment)).toEqual([
      "GITMOUTH_DYNOS must be a whole number from 1 to 100000; it is 'many'",
      "GITMOUTH_LOGIN_SECONDS must be a whole number from 1 to 600; it is '0'",
      "GITMOUTH_UNAUTHENTICATED_DROP_FROM must be at most GITMOUTH_UNAUTHENTICATED, which is 100; it is '101'",
    ]);
  });
});
