import { describe, expect, test } from '@jest/globals';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { WatchingLiveConnections } from '../../../src/adapters/remote/watching-live-connections.js';
import { until } from '../../../src/contracts/contract.js';
import { sampleCaller, sampleCertifiedCaller } from '../../../src/contracts/samples.js';
import type { KeyBinding } from '../../../src/domain/key-binding.js';
import type { Refusal } from '../../../src/domain/refusal.js';
import type { User } from '../../../src/domain/user.js';
import type { Authenticator } from '../../../src/ports/authenticator.js';

const EVERY_MS = 1_000;

/** What becomes of a connection by a key bound like this, once the platform says that it is bound like that. */
async function becomes(before: KeyBinding | undefined, after: KeyBinding | undefined) {
  const user = (binding: KeyBinding | undefined) => ({ name: 'alice', ...(binding === undefined ? {} : { binding }) });
  let asked = 0;
  const clock = new MemoryClock();
  const identify = async () => {
    asked += 1;
    return user(after);
  };
  const connections = new WatchingLiveConnections({ identify, identifyCertified: identify }, clock, EVERY_MS);
  const connection = connections.add({ ...sampleCaller('alice'), user: user(before) });
  await clock.advance(EVERY_MS);
  await until(() => asked === 1 && (connection.ended.aborted || clock.sleeping === 1), 'the answer was taken');
  const reason: unknown = connection.ended.reason;
  connection.remove();
  return reason;
}

describe('a connection', () => {
  test.each<[KeyBinding | undefined, KeyBinding | undefined]>([
    [undefined, { apps: ['shop'] }],
    [{ apps: ['shop', 'blog'] }, { apps: ['shop'] }],
    [{ apps: ['shop'] }, { apps: ['shop'], access: 'read' }],
    [{ access: 'read' }, undefined],
  ])('by a key that opened %j and opens %j now is ended', async (before, after) => {
    expect(await becomes(before, after)).toMatchObject({ reason: 'key-changed' });
  });

  test.each<[KeyBinding | undefined, KeyBinding | undefined]>([
    [undefined, undefined],
    [
      { apps: ['shop', 'blog'], access: 'read' },
      { access: 'read', apps: ['blog', 'shop'] },
    ],
  ])('by a key that opened %j and opens %j still stays', async (before, after) => {
    expect(await becomes(before, after)).toBeUndefined();
  });
});

test('a connection by a certificate is asked for by it, and ends when the platform knows its user no more', async () => {
  const clock = new MemoryClock();
  const asked: string[] = [];
  let answer: User | Refusal = { name: 'alice' };
  const authenticator: Authenticator = {
    identify: async () => ({ kind: 'unknown-key' }),
    identifyCertified: async ({ user, certificate }) => {
      asked.push(`${user} ${certificate.keyId}`);
      return answer;
    },
  };
  const connection = new WatchingLiveConnections(authenticator, clock, EVERY_MS).add(sampleCertifiedCaller('alice'));
  await clock.advance(EVERY_MS);
  await until(() => asked.length === 1 && clock.sleeping === 1, 'the answer was taken');
  expect(connection.ended.aborted).toBe(false);
  answer = { kind: 'certificate', problem: { kind: 'unknown-user', user: 'alice' } };
  await clock.advance(EVERY_MS);
  await until(() => connection.ended.aborted, 'the connection has ended');
  expect(connection.ended.reason).toMatchObject({ reason: 'key-removed' });
  expect(asked).toEqual(['alice alice@laptop', 'alice alice@laptop']);
  connection.remove();
});
