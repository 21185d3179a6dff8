import { once } from 'node:events';
import { Redis } from 'ioredis';
import { Fault, isFault, type Stage } from '../../domain/fault.js';

/** A command that has no answer after so long has none to come: whoever waits for it is told so. */
const COMMAND_MS = 2_000;
const CONNECT_MS = 2_000;
/** How long it is left alone between two attempts to connect anew. */
const RETRY_MS = 500;

/** Of every key of ours, so that a Redis can be shared with other programs. */
export const KEY_PREFIX = 'gitmouth:';

/**
 * Connects to Redis, and again whenever the connection is lost. Nothing waits for a Redis that is away: a command fails at
 * once while there is no connection, and after two seconds where no answer comes.
 *
 * @param onTrouble told once when the connection is lost or can't be made, and again after it was there in between.
 */
export function connectRedis(url: string, onTrouble: (error: Error) => void): Redis {
  const redis = new Redis(url, {
    keyPrefix: KEY_PREFIX,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_MS,
    connectTimeout: CONNECT_MS,
    keepAlive: 10_000,
    retryStrategy: () => RETRY_MS,
  });
  let isTold = false;
  redis.on('ready', () => {
    isTold = false;
  });
  redis.on('error', (error: Error) => {
    if (isTold) return;
    isTold = true;
    onTrouble(error);
  });
  return redis;
}

/** Resolves when the first attempt to connect has come to something, or was given its time. Never rejects. */
export async function whenTried(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  const over = new AbortController();
  const { signal } = over;
  const limit = setTimeout(() => over.abort(), CONNECT_MS);
  const tried = ['ready', 'error'].map((event) => once(redis, event, { signal }));
  await Promise.race(tried).catch(() => undefined);
  clearTimeout(limit);
  over.abort();
  await Promise.allSettled(tried);
}

/** What Redis does when it is full, where that is to throw keys away; undefined where it keeps them all. @throws Error when it does not answer. */
export async function evictionPolicy(redis: Redis): Promise<string | undefined> {
  const said = await redis.info('memory');
  const policy = /^maxmemory_policy:(\S+)/m.exec(said)?.[1];
  const isBounded = /^maxmemory:[1-9]/m.test(said);
  return isBounded && policy !== 'noeviction' ? policy : undefined;
}

/** Asks Redis on behalf of a session: whatever it throws is an outage, never a denial. */
export async function asking<T>(stage: Stage, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (isFault(error)) throw error;
    throw new Fault('GM_UNAVAILABLE', stage, 'Redis did not answer.', { cause: error });
  }
}
