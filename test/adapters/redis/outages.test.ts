/** What becomes of locks when Redis is gone, is mute, or has forgotten everything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test as declared } from '@jest/globals';
import type { Redis } from 'ioredis';
import { connectRedis, whenTried } from '../../../src/adapters/redis/redis-connection.js';
import { RedisLocks } from '../../../src/adapters/redis/redis-locks.js';
import { SystemClock } from '../../../src/adapters/system/clock.js';
import { never, until } from '../../../src/contracts/contract.js';
import { ask, holderOf, take } from '../../../src/contracts/lock-driver.js';
import { isFault } from '../../../src/domain/fault.js';
import { leaseTimes } from '../../../src/domain/lock-policy.js';
import { isDeparture } from '../../../src/domain/session-end.js';
import { CutWire } from '../../support/cut-wire.js';
import { needs } from '../../support/programs.js';
import { RedisServer } from '../../support/redis.js';

const { describe } = needs('redis-server', 'redis-cli');

const LEASE_MS = 1_800;
/** Two seconds, and what a busy machine adds. */
const QUICKLY_MS = 3_500;

let server: RedisServer;
let connections: Redis[];
let troubles: Error[];

async function gitmouth({ port }: { readonly port: number } = server): Promise<RedisLocks> {
  const redis = connectRedis(`redis://127.0.0.1:${port}`, (error) => troubles.push(error));
  connections.push(redis);
  await whenTried(redis);
  return new RedisLocks(redis, new SystemClock(), LEASE_MS);
}

async function faultOf(promise: Promise<unknown>): Promise<number> {
  const begun = performance.now();
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(isFault(error) && [error.code, error.stage]).toEqual(['GM_UNAVAILABLE', 'lock']);
  return performance.now() - begun;
}

describe('the Redis locks', () => {
  const test = declared;

  beforeEach(async () => {
    server = await RedisServer.start();
    connections = [];
    troubles = [];
  });

  afterEach(async () => {
    for (const redis of connections) redis.disconnect();
    await server.stop('SIGKILL');
  });

  test('of a gitmouth that starts while Redis is away fail at once, and work when it is there', async () => {
    await server.stop();
    const begun = performance.now();
    const locks = await gitmouth();
    expect(await faultOf(ask(locks, 'alice'))).toBeLessThan(500);
    expect(performance.now() - begun).toBeLessThan(QUICKLY_MS);
    expect(troubles).toHaveLength(1);
    await server.resume();
    await until(async () => (await holderOf(locks).catch(() => 'away')) === undefined, 'the locks to work');
    await sleep(600);
    expect(troubles).toHaveLength(1);
  });

  test('that are held are lost in time when Redis dies, and can be taken as soon as it is back', async () => {
    const locks = await gitmouth();
    const lease = await take(locks, 'alice');
    const begun = performance.now();
    await server.stop('SIGKILL');
    const waiting = faultOf(ask(locks, 'bob'));
    expect(await waiting).toBeLessThan(QUICKLY_MS);
    await until(() => lease.lost.aborted, 'the loss is told');
    const { lostBeforeEndMs } = leaseTimes(LEASE_MS);
    // The last renewal was before the end of Redis, so that a third of the lease is left for the dyno to be ended in.
    expect(performance.now() - begun).toBeLessThan(LEASE_MS - lostBeforeEndMs + 200);
    expect(isDeparture(lease.lost.reason) && lease.lost.reason.reason).toBe('lease-lost');
    await lease.release();
    await server.resume();
    await until(async () => (await holderOf(locks).catch(() => 'away')) === undefined, 'the lock to be free');
    const next = await take(locks, 'bob');
    expect(next.token).toBeGreaterThan(lease.token);
    await next.release();
  });

  test('outlast a Redis that is away for a moment', async () => {
    const locks = await gitmouth();
    const lease = await take(locks, 'alice');
    server.signal('SIGSTOP');
    await sleep(500);
    server.signal('SIGCONT');
    await sleep(LEASE_MS);
    expect(lease.lost.aborted).toBe(false);
    expect(await holderOf(locks)).toBe('alice');
    await lease.release();
  });

  test('are lost while Redis is mute, who asks is told within seconds, and nothing that was asked meanwhile is held', async () => {
    const [locks, other] = [await gitmouth(), await gitmouth()];
    const lease = await take(locks, 'alice');
    const begun = performance.now();
    server.signal('SIGSTOP');
    const asked = faultOf(ask(locks, 'bob', { app: 'blog' }));
    const listed = faultOf(locks.held(never()));
    await until(() => lease.lost.aborted, 'the loss is told');
    expect(performance.now() - begun).toBeLessThan(LEASE_MS);
    expect(await asked).toBeLessThan(QUICKLY_MS);
    expect(await listed).toBeLessThan(QUICKLY_MS);
    server.signal('SIGCONT');
    // What bob had asked for is answered now, with nobody left to take it.
    let apps: readonly string[] | undefined;
    const look = async () => (await other.held(never())).map(({ app }) => app);
    await until(async () => (apps = await look().catch(() => undefined)) !== undefined, 'Redis to answer');
    expect(apps).not.toContain('blog');
    await until(async () => (await holderOf(locks).catch(() => 'away')) === undefined, 'the shop to be free');
    await lease.release();
    expect(await other.held(never())).toEqual([]);
  });

  test('work again when the machine of Redis went without a word and another has its name', async () => {
    const wire = await CutWire.to(server);
    try {
      const locks = await gitmouth(wire);
      expect(await holderOf(locks)).toBeUndefined();
      for (const times of [1, 2]) {
        // Nothing that is sent gets through any more, and nobody closes the connection. New ones work.
        wire.cutAt('up', wire.passed.up, () => undefined);
        expect(await faultOf(ask(locks, 'alice'))).toBeLessThan(QUICKLY_MS);
        const begun = performance.now();
        await until(async () => (await holderOf(locks).catch(() => 'away')) === undefined, 'the locks to work');
        expect(performance.now() - begun).toBeLessThan(QUICKLY_MS);
        // Told once for each time that it was lost.
        expect(troubles).toHaveLength(times);
      }
    } finally {
      for (const redis of connections) redis.disconnect();
      await wire.close();
    }
  });

  test('stay on a connection on which nothing is asked', async () => {
    const locks = await gitmouth();
    expect(await holderOf(locks)).toBeUndefined();
    const connection = () => connections[0]?.client('ID');
    const before = await connection();
    await sleep(3_000);
    expect(await connection()).toBe(before);
    expect(troubles).toEqual([]);
  });

  test('move to the new primary when theirs has become a replica', async () => {
    const next = await RedisServer.start();
    const name = { port: server.port };
    const wire = await CutWire.to(name);
    try {
      const locks = await gitmouth({ port: wire.port });
      const lease = await take(locks, 'alice');
      await lease.release();
      server.cli('REPLICAOF', '127.0.0.1', String(next.port));
      // As long as the name leads to the replica: told once, however often it is connected to and asked.
      for (let tries = 0; tries < 4; tries++) {
        await faultOf(ask(locks, 'alice'));
        await sleep(600);
      }
      expect(troubles.map(({ message }) => message)).toEqual([expect.stringContaining('READONLY')]);
      name.port = next.port;
      let moved: Awaited<ReturnType<typeof ask>> | undefined;
      await until(async () => {
        moved = await ask(locks, 'alice').catch(() => undefined);
        return moved !== undefined;
      }, 'the locks to work');
      expect(moved).toMatchObject({ token: expect.any(Number) });
      if (moved !== undefined && 'release' in moved) await moved.release();
      expect(troubles).toHaveLength(1);
      next.cli('REPLICAOF', '127.0.0.1', String(server.port));
      await faultOf(ask(locks, 'alice'));
      expect(troubles).toHaveLength(2);
      next.cli('REPLICAOF', 'NO', 'ONE');
      await until(async () => (await holderOf(locks).catch(() => 'away')) === undefined, 'the locks to work');
    } finally {
      for (const redis of connections) redis.disconnect();
      await wire.close();
      await next.stop('SIGKILL');
    }
  });

  test('of a Redis that has forgotten everything are lost, and the tokens grow all the same', async () => {
    const locks = await gitmouth();
    const lease = await take(locks, 'alice');
    server.cli('FLUSHALL');
    await until(() => lease.lost.aborted, 'the loss is told');
    const next = await take(locks, 'bob');
    expect(next.token).toBeGreaterThan(lease.token);
    await next.release();
  });

  test('pass over one who waited and is gone, soon', async () => {
    const [locks, other, gone] = [await gitmouth(), await gitmouth(), await gitmouth()];
    const lease = await take(locks, 'alice');
    const lost = faultOf(ask(gone, 'bob'));
    await sleep(100);
    const carol = ask(other, 'carol');
    await sleep(100);
    // As when its machine loses power: it says no word of leaving.
    connections[2]?.disconnect();
    await lost;
    await lease.release();
    const begun = performance.now();
    const next = await carol;
    expect('token' in next).toBe(true);
    expect(performance.now() - begun).toBeLessThan(5_000);
    if ('release' in next) await next.release();
    // Nothing is left of anybody but the last token.
    await until(() => server.cli('KEYS', '*') === 'gitmouth:lock:{shop}:token', 'nothing else to be left');
  });
});
