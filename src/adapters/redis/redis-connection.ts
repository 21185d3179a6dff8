import { once } from 'node:events';
import { Redis } from 'ioredis';
import { Fault, isFault, type Stage } from '../../domain/fault.js';

/** A command that has no answer after so long has none to come: whoever waits for it is told so, and the connection is given up. */
const COMMAND_MS = 2_000;
const CONNECT_MS = 2_000;
/** How long it is left alone between two attempts to connect anew. */
const RETRY_MS = 500;

/** Of every key of ours, so that a Redis can be shared with other programs. */
export const KEY_PREFIX = 'gitmouth:';

/**
 * Connects to Redis, and again whenever the connection is lost. Nothing waits for a Redis that is away: a command fails at
 * once while there is no connection, and after two seconds where no answer comes; the connection counts as lost then. So
 * does one to a Redis that has become a replica, as the name may lead to another by now.
 *
 * @param onTrouble told once when the connection is lost or can't be made, and again after it was there in between.
 */
export function connectRedis(url: string, onTrouble: (error: Error) => void): Redis {
  const redis = new Redis(url, {
    keyPrefix: KEY_PREFIX,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_MS,
    // Counted only while a command waits for its answer: a connection on which nothing is asked stays.
    socketTimeout: COMMAND_MS,
    connectTimeout: CONNECT_MS,
    keepAlive: 10_000,
    retryStrategy: () => RETRY_MS,
    reconnectOnError(error) {
      const isReadOnly = error.message.includes('READONLY');
      if (isReadOnly) tell(error);
      return isReadOnly;
    },
  });
  let isTold = false;
  const tell = (error: Error) => {
    if (isTold) return;
    isTold = true;
    onTrouble(error);
  };
  redis.on('ready', () => {
    // A replica can be connected to as well, and then nothing is over.
    void isReplica(redis).then((isStill) => {
      if (!isStill) isTold = false;
    });
  });
  redis.on('error', tell);
  return redis;
}

function isReplica(redis: Redis): Promise<boolean> {
  return redis.role().then(
    ([role]) => role === 'slave',
    () => false,
  );
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
