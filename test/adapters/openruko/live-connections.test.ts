import { expect } from '@jest/globals';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { OpenrukoAuthenticator } from '../../../src/adapters/openruko/openruko-authenticator.js';
import { WatchingLiveConnections } from '../../../src/adapters/remote/watching-live-connections.js';
import { turns, until } from '../../../src/contracts/contract.js';
import { sampleCaller } from '../../../src/contracts/samples.js';
import { needs } from '../../support/programs.js';
import { openHouse, type House } from './ground.js';

const { test } = needs('openssl');
const EVERY_MS = 1_000;

async function watching(
  use: (house: House, connections: WatchingLiveConnections, clock: MemoryClock) => Promise<void>,
) {
  const house = await openHouse({}, { breaker: { failures: 1_000, restMs: 1 } });
  const clock = new MemoryClock();
  const connections = new WatchingLiveConnections(new OpenrukoAuthenticator(house.client), clock, EVERY_MS);
  try {
    await use(house, connections, clock);
  } finally {
    for (const connection of connections.list()) connection.remove();
    await house.close();
    expect(clock.sleeping).toBe(0);
  }
}

/** One more round of questions, answered. */
async function round({ server }: House, clock: MemoryClock): Promise<void> {
  const before = server.calls.length;
  await clock.advance(EVERY_MS);
  await until(() => server.calls.length > before && server.open.size === 0, 'the API server was asked');
  await until(() => clock.sleeping > 0, 'the answer was taken');
}

test('a connection whose key was removed, or has another holder now, ends with the next round; others go on', () =>
  watching(async (house, connections, clock) => {
    const callers = ['alice', 'bob', 'carol'].map((name) => sampleCaller(name));
    for (const { user, key } of callers) house.server.register(user.name, key.md5);
    const [alice, bob, carol] = callers.map((caller) => connections.add(caller));
    await round(house, clock);
    expect([alice?.ended.aborted, bob?.ended.aborted]).toEqual([false, false]);
    house.server.removeUser('alice');
    house.server.removeUser('bob');
    house.server.register('mallory', callers[1]?.key.md5 ?? '');
    await clock.advance(EVERY_MS);
    await until(() => alice?.ended.aborted === true && bob?.ended.aborted === true, 'both have ended');
    expect(alice?.ended.reason).toMatchObject({ reason: 'key-removed' });
    await turns();
    expect(carol?.ended.aborted).toBe(false);
  }));

test('an outage ends nobody', () =>
  watching(async (house, connections, clock) => {
    const caller = sampleCaller('alice');
    house.server.register('alice', caller.key.md5);
    const connection = connections.add(caller);
    house.server.misbehave('lookup', 'html', 1);
    await round(house, clock);
    await until(() => clock.sleeping === 1, 'it waits for the next round');
    expect(connection.ended.aborted).toBe(false);
    house.server.removeUser('alice');
    await clock.advance(EVERY_MS);
    await until(() => connection.ended.aborted, 'it has ended');
  }));

test('nobody is asked for a connection that is off the list', () =>
  watching(async (house, connections, clock) => {
    connections.add(sampleCaller('alice')).remove();
    expect(clock.sleeping).toBe(0);
    await clock.advance(10 * EVERY_MS);
    await turns();
    expect(house.server.calls).toEqual([]);
  }));
