import { connectRedis, whenTried } from '../../adapters/redis/redis-connection.js';
import { RedisLocks } from '../../adapters/redis/redis-locks.js';
import { RedisPenalties } from '../../adapters/redis/redis-penalties.js';
import { RedisRateLimiter } from '../../adapters/redis/redis-rate-limiter.js';
import type { Config } from '../config.js';
import { reasonOf } from '../reason.js';
import type { State } from './state.js';

type Tell = (message: string, error: Error) => void;

/** Shared by gitmouths of any machine, over one Redis. One that does not answer is tried again for ever, and never waited for. */
export async function redisState({ locks }: Config, url: string): Promise<State> {
  const place = placeOf(url);
  let trouble: Error | undefined;
  let tell: Tell | undefined;
  const redis = connectRedis(url, (error) => {
    trouble = error;
    tell?.(`the state at ${place} is out of reach`, error);
  });
  await whenTried(redis);
  return {
    locks: (clock) => new RedisLocks(redis, clock, locks.leaseMs),
    penalties: (clock) => new RedisPenalties(redis, clock),
    rateLimiter: () => new RedisRateLimiter(redis),
    onTrouble(listener) {
      tell = listener;
      if (trouble !== undefined && redis.status !== 'ready') tell(`the state at ${place} is out of reach`, trouble);
    },
    async examine() {
      try {
        await redis.ping();
      } catch (error) {
        throw new Error(`${place} does not answer: ${reasonOf(trouble ?? error)}`, { cause: error });
      }
      return `${place} answers`;
    },
    close: () => {
      redis.disconnect();
    },
  };
}

/** Without the user and password. */
function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
