import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig } from '../../src/app/config.js';

function stateOf(url: string) {
  return readConfig({}, { GITMOUTH_STATE: url }).state;
}

describe('GITMOUTH_STATE', () => {
  test('unset is the database of this machine', () => {
    expect(readConfig({}, {}).state).toEqual({ kind: 'local' });
  });

  test.each(['redis://localhost', 'redis://:word@10.0.0.7:6380/3', 'rediss://gitmouth:word@[::1]/'])(
    'takes %s',
    (url) => {
      expect(stateOf(url)).toEqual({ kind: 'redis', url });
    },
  );

  test.each([
    'localhost:6379',
    'http://:hush@localhost',
    'redis:///0?password=hush',
    'redis://:hush@localhost/first',
    'redis://:hush@localhost/0#x',
    'redis://:hush@',
  ])('does not take %s, and repeats nothing of it', (url) => {
    expect(() => stateOf(url)).toThrow(ConfigError);
    expect(() => stateOf(url)).toThrow(/GITMOUTH_STATE must be a URL such as redis:\/\/redis.example.com/);
    expect(() => stateOf(url)).not.toThrow(/hush/);
  });
});

describe('the lock of a push', () => {
  test('is waited for, and outlives its gitmouth by 30 seconds', () => {
    expect(readConfig({}, {}).locks).toEqual({ mode: 'wait', leaseMs: 30_000 });
  });

  test('is as the settings say', () => {
    const config = readConfig({}, { GITMOUTH_PUSH_LOCK: 'supersede', GITMOUTH_LOCK_LEASE_SECONDS: '2' });
    expect(config.locks).toEqual({ mode: 'supersede', leaseMs: 2_000 });
  });

  test.each([
    ['GITMOUTH_PUSH_LOCK', 'queue'],
    ['GITMOUTH_LOCK_LEASE_SECONDS', '1'],
    ['GITMOUTH_LOCK_LEASE_SECONDS', '601'],
  ])('is not %s=%s', (name, value) => {
    expect(() => readConfig({}, { [name]: value })).toThrow(name);
  });
});
