/** Penalties and counts that any number of machines share, in a real Redis. */
import { afterAll, beforeAll } from '@jest/globals';
import { connectRedis, KEY_PREFIX, whenTried } from '../../../src/adapters/redis/redis-connection.js';
import { RedisPenalties } from '../../../src/adapters/redis/redis-penalties.js';
import { RedisRateLimiter } from '../../../src/adapters/redis/redis-rate-limiter.js';
import { penaltiesContract } from '../../../src/contracts/penalties.js';
import { rateLimiterContract } from '../../../src/contracts/rate-limiter.js';
import { until } from '../../../src/contracts/contract.js';
import { runContract } from '../../support/contract.js';
import { needs } from '../../support/programs.js';
import { RedisServer } from '../../support/redis.js';

const { describe } = needs('redis-server', 'redis-cli');
const MOST = 10;
const ENDS = `${KEY_PREFIX}penalties`;

let server: RedisServer;

async function twoClients() {
  server.cli('FLUSHALL');
  const clients = [1, 2].map(() => connectRedis(server.url, () => undefined));
  await Promise.all(clients.map(whenTried));
  const [one, other] = clients;
  if (one === undefined || other === undefined) throw new Error('two clients');
  const close = async () => {
    for (const client of clients) client.disconnect();
  };
  const breakDown = async () => {
    one.disconnect();
    await until(() => one.status === 'end', 'it is disconnected');
  };
  return { one, other, close, breakDown };
}

describe('in Redis', () => {
  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server.stop());

  runContract(
    'penalties',
    penaltiesContract(async () => {
      const { one, other, close, breakDown } = await twoClients();
      return {
        one: new RedisPenalties(one, { now: Date.now }, MOST),
        other: new RedisPenalties(other, { now: Date.now }, MOST),
        most: MOST,
        now: Date.now,
        // As if all that is kept had begun so much earlier.
        pass: async (ms: number) => {
          for (const subject of await other.zrange('penalties', '0', '-1')) {
            server.cli('ZINCRBY', ENDS, String(-ms), subject.toString());
          }
        },
        kept: async () => Number(server.cli('ZCARD', ENDS)),
        breakDown,
        close,
      };
    }),
  );

  runContract(
    'counts',
    rateLimiterContract(async () => {
      const { one, other, close, breakDown } = await twoClients();
      return { one: new RedisRateLimiter(one), other: new RedisRateLimiter(other), breakDown, close };
    }),
  );
});
