import type { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { RateLimiter } from '../../ports/rate-limiter.js';
import { asking } from './redis-connection.js';

/** Counts in Redis, for any number of machines; by Redis's own clock. */
export class RedisRateLimiter implements RateLimiter {
  /** Only counts: what is too many is said with each call. */
  readonly #counter: RateLimiterRedis;

  constructor(redis: Redis) {
    this.#counter = new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: 'rates',
      points: Number.MAX_SAFE_INTEGER,
      duration: 60,
      rejectIfRedisNotReady: true,
    });
  }

  spend(key: string, limit: number, perMs: number): Promise<number | undefined> {
    return asking('authorize', async () => {
      const { consumedPoints, msBeforeNext } = await this.#counter.consume(key, 1, { customDuration: perMs / 1000 });
      return consumedPoints > limit ? msBeforeNext : undefined;
    });
  }
}
