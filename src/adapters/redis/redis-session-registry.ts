import type { ChainableCommander, Redis } from 'ioredis';
import { inOrder, readListed, REPORT_LASTS_MS, type ListedSession } from '../../domain/listed-session.js';
import type { SessionRegistry } from '../../ports/session-registry.js';

/** The owners that show something; each one's sessions are under a key of its own, which runs out by itself. */
const OWNERS = 'session-owners';

/** A key for each gitmouth that serves something, and one for each session that somebody has asked to end. */
export class RedisSessionRegistry implements SessionRegistry {
  readonly #redis: Redis;
  readonly #owner: string;
  readonly #lastsMs: number;
  #shows = false;

  /** @param owner this handle's own id, which nobody else has. */
  constructor(redis: Redis, owner: string, lastsMs = REPORT_LASTS_MS) {
    this.#redis = redis;
    this.#owner = owner;
    this.#lastsMs = lastsMs;
  }

  async report(own: readonly ListedSession[]): Promise<readonly string[]> {
    if (own.length === 0) {
      if (this.#shows) await this.#remove();
      return [];
    }
    // From now on, as an answer that is lost may have been carried out.
    this.#shows = true;
    const [, , ends] = await answersOf(
      this.#redis
        .multi()
        .set(reportOf(this.#owner), JSON.stringify(own), 'PX', this.#lastsMs)
        .sadd(OWNERS, this.#owner)
        .mget(own.map(({ id }) => endOf(id))),
    );
    const asked = Array.isArray(ends) ? own.filter((_, index) => typeof ends[index] === 'string') : [];
    return asked.map(({ id }) => id);
  }

  async list(): Promise<readonly ListedSession[]> {
    const owners = await this.#redis.smembers(OWNERS);
    if (owners.length === 0) return [];
    const reports = await this.#redis.mget(owners.map(reportOf));
    const gone = owners.filter((_, index) => typeof reports[index] !== 'string');
    // Whoever lives still comes back with its next report.
    if (gone.length > 0) await this.#redis.srem(OWNERS, gone);
    const shown = reports.filter((report) => report !== null);
    return inOrder(shown.flatMap(readListed));
  }

  async end(id: string): Promise<boolean> {
    const isThere = (await this.list()).some((session) => session.id === id);
    if (isThere) await this.#redis.set(endOf(id), '1', 'PX', this.#lastsMs);
    return isThere;
  }

  async close(): Promise<void> {
    // What can't be taken away runs out by itself.
    if (this.#shows) await this.#remove().catch(() => undefined);
  }

  async #remove(): Promise<void> {
    await answersOf(this.#redis.multi().del(reportOf(this.#owner)).srem(OWNERS, this.#owner));
    this.#shows = false;
  }
}

function reportOf(owner: string): string {
  return `sessions:${owner}`;
}

function endOf(id: string): string {
  return `session-end:${id}`;
}

/** @throws the first error among the answers: in a transaction each command has its own. */
async function answersOf(transaction: ChainableCommander): Promise<readonly unknown[]> {
  const answers = (await transaction.exec()) ?? [];
  const failed = answers.find(([error]) => error !== null);
  if (failed !== undefined) throw failed[0] ?? new Error('no answer');
  return answers.map(([, answer]) => answer);
}
