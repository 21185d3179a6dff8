/** Faults, departures and refusals are told apart by brand and tag, not by class. */
import { describe, expect, test } from '@jest/globals';
import { Fault, isFault } from '../../src/domain/fault.js';
import { needsLock } from '../../src/domain/lock-policy.js';
import { isRefusal } from '../../src/domain/refusal.js';
import { Departure, isDeparture } from '../../src/domain/session-end.js';

const STRANGERS: readonly unknown[] = [
  undefined,
  null,
  0,
  '',
  'GM_TIMEOUT',
  Symbol.for('gitmouth.fault'),
  {},
  [],
  () => undefined,
  new Error('gitmouth.fault'),
  Object.assign(new Error('forged by name'), { name: 'Fault', code: 'GM_TIMEOUT', stage: 'run' }),
  new DOMException('aborted', 'AbortError'),
];

describe('a fault', () => {
  const cause = new Error('refused by 10.0.0.1');
  const fault = new Fault('GM_UNAVAILABLE', 'authorize', 'the platform did not answer', { cause });

  test('says what failed, where, and why', () => {
    expect([fault.name, fault.code, fault.stage, fault.message, fault.cause]).toEqual([
      'Fault',
      'GM_UNAVAILABLE',
      'authorize',
      'the platform did not answer',
      cause,
    ]);
    expect(fault).toBeInstanceOf(Error);
    expect(isFault(fault)).toBe(true);
  });

  test('without a cause has none', () => {
    expect('cause' in new Fault('GM_TIMEOUT', 'run', 'late')).toBe(false);
  });

  test('of another copy of this program is one too', () => {
    expect(isFault({ [Symbol.for('gitmouth.fault')]: true })).toBe(true);
  });

  test.each(STRANGERS.map((stranger) => [stranger]))('%p is none', (stranger) => {
    expect(isFault(stranger)).toBe(false);
  });

  test('is no departure, and a departure no fault', () => {
    expect(isDeparture(fault)).toBe(false);
    expect(isFault(new Departure('drained'))).toBe(false);
  });
});

describe('a departure', () => {
  test('says why a session ends', () => {
    const departure = new Departure('user-removed');
    expect([departure.name, departure.reason, departure.message]).toEqual([
      'Departure',
      'user-removed',
      'session ended: user-removed',
    ]);
    expect(isDeparture(departure)).toBe(true);
  });

  test('of another copy of this program is one too', () => {
    expect(isDeparture({ [Symbol.for('gitmouth.departure')]: true })).toBe(true);
  });

  test.each(STRANGERS.map((stranger) => [stranger]))('%p is none', (stranger) => {
    expect(isDeparture(stranger)).toBe(false);
  });
});

test('a refusal is told by its kind from users, grants, dynos and leases', () => {
  expect(isRefusal({ kind: 'unknown-key' })).toBe(true);
  expect(isRefusal({ name: 'alice' })).toBe(false);
  expect(isRefusal({ app: 'shop', access: 'read', lockMode: 'wait', creates: false })).toBe(false);
  expect(isRefusal({ id: 'dyno-1', link: { kind: 'memory' } })).toBe(false);
});

test('writers alone take a lock', () => {
  expect(needsLock('git-receive-pack')).toBe(true);
  expect(needsLock('git-upload-pack')).toBe(false);
  expect(needsLock('git-upload-archive')).toBe(false);
});
