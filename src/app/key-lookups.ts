import { LRUCache } from 'lru-cache';
import type { PublicKey } from '../domain/public-key.js';
import { isRefusal, type Refusal } from '../domain/refusal.js';
import type { Connection } from '../domain/session.js';
import type { User } from '../domain/user.js';
import type { Authenticator } from '../ports/authenticator.js';
import type { Clock } from '../ports/clock.js';

/** So many different keys in a few seconds are no crowd of users any more. */
const MAX_CACHED = 10_000;

/** How many look-ups of one source are under way at once; the next wait their turn. */
const LOOKUPS_PER_SOURCE = 8;

/**
 * Look-ups of keys, spared where they can be: a client offers, proves, and connects again in the next second.
 *
 * Only "this user's" is remembered, and briefly: a key that was added just now works at once. What is remembered
 * grants nothing; access control asks anew for each request.
 */
export class KeyLookups {
  readonly #authenticator: Authenticator;
  readonly #users: LRUCache<string, User>;
  readonly #cacheMs: () => number;
  readonly #sources = new Map<string, { running: number; waiting: (() => void)[] }>();

  /** @param cacheMs how long an answer that comes now is remembered; 0 for not at all. */
  constructor(authenticator: Authenticator, cacheMs: () => number, clock: Clock) {
    this.#authenticator = authenticator;
    this.#cacheMs = cacheMs;
    this.#users = new LRUCache({ max: MAX_CACHED, ttl: 1, ttlResolution: 0, perf: clock });
  }

  /** @throws Fault (stage `identify`). */
  async identify(key: PublicKey, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    return this.#users.get(key.sha256) ?? (await this.identifyAnew(key, connection, signal));
  }

  /** As `identify`, but never from what is remembered. */
  async identifyAnew(key: PublicKey, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    const { address } = connection;
    await this.#enter(address, signal);
    try {
      signal.throwIfAborted();
      const answer = await this.#authenticator.identify(key, connection, signal);
      const ttl = this.#cacheMs();
      if (isRefusal(answer) || ttl === 0) this.#users.delete(key.sha256);
      else this.#users.set(key.sha256, answer, { ttl });
      return answer;
    } finally {
      this.#leave(address);
    }
  }

  /** Rejects with the signal's reason, having left the queue, when that aborts before its turn. */
  async #enter(address: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const source = this.#sources.get(address) ?? { running: 0, waiting: [] };
    this.#sources.set(address, source);
    if (source.running < LOOKUPS_PER_SOURCE) {
      source.running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        source.waiting.splice(source.waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      source.waiting.push(turn);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** The place goes straight to who waits first. */
  #leave(address: string): void {
    const source = this.#sources.get(address);
    if (source === undefined) return;
    const next = source.waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    source.running -= 1;
    if (source.running === 0) this.#sources.delete(address);
  }
}
