import { connectRedis, evictionPolicy, whenTried } from '../../adapters/redis/redis-connection.js';
import { RedisLocks } from '../../adapters/redis/redis-locks.js';
import { RedisPenalties } from '../../adapters/redis/redis-penalties.js';
import { RedisRateLimiter } from '../../adapters/redis/redis-rate-limiter.js';
import { RedisSessionRegistry } from '../../adapters/redis/redis-session-registry.js';
import { newId } from '../../adapters/system/ids.js';
import { printable } from '../../domain/words/printable.js';
import type { Config } from '../config.js';
import { reasonOf } from '../reason.js';
import type { State } from './state.js';

/** Shared by gitmouths of any machine, over one Redis. One that does not answer is tried again for ever, and never waited for. */
export async function redisState({ locks }: Config, url: string): Promise<State> {
  const message = `the state at ${placeOf(url)} is out of reach: pushes are refused until it is back`;
  let trouble: Error | undefined;
  let tell: Parameters<State['onTrouble']>[0] | undefined;
  const redis = connectRedis(url, (error) => {
    trouble = error;
    tell?.(message, error);
  });
  await whenTried(redis);
  return {
    locks: (clock) => new RedisLocks(redis, clock, locks.leaseMs),
    penalties: (clock) => new RedisPenalties(redis, clock),
    rateLimiter: () => new RedisRateLimiter(redis),
    sessions: () => new RedisSessionRegistry(redis, newId('g')),
    onTrouble(listener) {
      tell = listener;
      if (trouble !== undefined && redis.status !== 'ready') tell(message, trouble);
    },
    close: () => {
      redis.disconnect();
    },
  };
}

/**
 * Whether Redis answers and keeps what it is told, in words for an operator and without its password.
 * @throws Error when it does not answer.
 */
export async function examineRedis(url: string): Promise<{ readonly says: string; readonly isSound: boolean }> {
  const place = placeOf(url);
  let trouble: Error | undefined;
  const redis = connectRedis(url, (error) => (trouble = error));
  try {
    await whenTried(redis);
    const policy = await evictionPolicy(redis);
    if (policy === undefined) return { says: `${place} answers`, isSound: true };
    const advice = 'set its maxmemory-policy to noeviction, as a lock that is thrown away lets two pushes run at once';
    return {
      says: `${place} answers, but throws keys away when it is full (${printable(policy)}): ${advice}`,
      isSound: false,
    };
  } catch (error) {
    throw new Error(`${place} does not answer: ${reasonOf(trouble ?? error)}`, { cause: error });
  } finally {
    redis.disconnect();
  }
}

/** Without the user and password. */
function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
