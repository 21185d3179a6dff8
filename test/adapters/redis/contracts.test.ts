/** What gitmouths of many machines share, over one Redis: as two of them are connected to it. */
import { afterAll, beforeAll } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, whenTried } from '../../../src/adapters/redis/redis-connection.js';
import { RedisLocks } from '../../../src/adapters/redis/redis-locks.js';
import { SystemClock } from '../../../src/adapters/system/clock.js';
import { repositoryLocksContract } from '../../../src/contracts/repository-locks.js';
import { runContract } from '../../support/contract.js';
import { needs } from '../../support/programs.js';
import { RedisServer } from '../../support/redis.js';

const { describe } = needs('redis-server', 'redis-cli');

const LEASE_MS = 1_000;

describe('over one Redis', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server.stop());

  runContract(
    'the Redis locks',
    repositoryLocksContract(async () => {
      server.cli('FLUSHALL');
      const handles = [connectRedis(server.url, ignored), connectRedis(server.url, ignored)] as const;
      await Promise.all(handles.map(whenTried));
      const clock = new SystemClock();
      const [one, other] = handles;
      return {
        one: new RedisLocks(one, clock, LEASE_MS),
        other: new RedisLocks(other, clock, LEASE_MS),
        leaseMs: LEASE_MS,
        now: () => clock.now(),
        pass: (ms: number) => sleep(ms),
        expire: async (app: string) => {
          server.cli('DEL', `gitmouth:lock:{${app}}`);
        },
        breakDown: async () => {
          one.disconnect();
        },
        close: async () => {
          for (const handle of handles) handle.disconnect();
        },
      };
    }),
  );
});

function ignored(): void {
  // No test breaks the connection of a handle that it goes on with.
}
