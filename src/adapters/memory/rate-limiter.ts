import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { RateLimiter } from '../../ports/rate-limiter.js';
import { Trouble } from './trouble.js';

/** Counts within this process. */
export class MemoryRateLimiter implements RateLimiter {
  readonly trouble = new Trouble();
  /** Only counts: what is too many is said with each call. */
  readonly #counter = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: 60 });

  async spend(key: string, limit: number, perMs: number): Promise<number | undefined> {
    this.trouble.strike();
    const { consumedPoints, msBeforeNext } = await this.#counter.consume(key, 1, { customDuration: perMs / 1000 });
    return consumedPoints > limit ? msBeforeNext : undefined;
  }
}
