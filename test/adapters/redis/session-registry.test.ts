/** The live sessions of gitmouths that share a Redis. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll } from '@jest/globals';
import { connectRedis } from '../../../src/adapters/redis/redis-connection.js';
import { RedisSessionRegistry } from '../../../src/adapters/redis/redis-session-registry.js';
import { sessionRegistryContract } from '../../../src/contracts/session-registry.js';
import { runContract } from '../../support/contract.js';
import { needs } from '../../support/programs.js';
import { RedisServer } from '../../support/redis.js';

const LASTS_MS = 500;

const { describe } = needs('redis-server');

describe('over Redis', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server.stop());

  runContract(
    'the Redis session registry',
    sessionRegistryContract(async () => {
      server.cli('FLUSHALL');
      const [redis, otherRedis] = [connectRedis(server.url, ignore), connectRedis(server.url, ignore)];
      await Promise.all([redis, otherRedis].map((each) => new Promise<void>((resolve) => each.once('ready', resolve))));
      return {
        one: new RedisSessionRegistry(redis, 'g-one', LASTS_MS),
        other: new RedisSessionRegistry(otherRedis, 'g-other', LASTS_MS),
        lastsMs: LASTS_MS,
        pass: (ms: number) => sleep(ms),
        breakDown: async () => {
          redis.disconnect();
        },
        close: async () => {
          redis.disconnect();
          otherRedis.disconnect();
        },
      };
    }),
  );
});

function ignore(): void {
  // What can't be reached is seen by whoever asks.
}
