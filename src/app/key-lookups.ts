import { LRUCache } from 'lru-cache';
import type { PublicKey } from '../domain/public-key.js';
import { isRefusal, type Refusal } from '../domain/refusal.js';
import type { User } from '../domain/user.js';
import type { Authenticator } from '../ports/authenticator.js';

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
  readonly #users: LRUCache<string, User> | undefined;
  readonly #sources = new Map<string, { running: number; waiting: (() => void)[] }>();

  constructor(authenticator: Authenticator, cacheMs: number) {
    this.#authenticator = authenticator;
    this.#users = cacheMs > 0 ? new LRUCache({ max: MAX_CACHED, ttl: cacheMs }) : undefined;
  }

  /** @throws Fault (stage `identify`). */
  async identify(key: PublicKey, address: string, signal: AbortSignal): Promise<User | Refusal> {
    return this.#users?.get(key.sha256) ?? (await this.identifyAnew(key, address, signal));
  }

  /** As `identify`, but never from what is remembered. */
  async identifyAnew(key: PublicKey, address: string, signal: AbortSignal): Promise<User | Refusal> {
    await this.#enter(address);
    try {
      signal.throwIfAborted();
      const answer = await this.#authenticator.identify(key, address, signal);
      if (isRefusal(answer)) this.#users?.delete(key.sha256);
      else this.#users?.set(key.sha256, answer);
      return answer;
    } finally {
      this.#leave(address);
    }
  }

  async #enter(address: string): Promise<void> {
    const source = this.#sources.get(address) ?? { running: 0, waiting: [] };
    this.#sources.set(address, source);
    if (source.running >= LOOKUPS_PER_SOURCE) await new Promise<void>((resolve) => source.waiting.push(resolve));
    else source.running += 1;
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
