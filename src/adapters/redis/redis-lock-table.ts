import type { Redis, Result } from 'ioredis';
import { z } from 'zod';
import type { LockRecall } from '../../domain/lock-policy.js';
import type { HeldLock } from '../../ports/repository-locks.js';
import { WAITER_MS, type LockTable, type Standing, type TableAnswer, type Ticket } from '../leases/lock-table.js';
import { ASK, CHECK, LEAVE, RECALL, REMOVE } from './lock-scripts.js';
import { asking, KEY_PREFIX } from './redis-connection.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    gitmouthAsk(...keysAndArgs: string[]): Result<string[], Context>;
    gitmouthLeave(...keysAndArgs: string[]): Result<null, Context>;
    gitmouthCheck(...keysAndArgs: string[]): Result<string | null, Context>;
    gitmouthRemove(...keysAndArgs: string[]): Result<null, Context>;
    gitmouthRecall(...keysAndArgs: string[]): Result<string[] | null, Context>;
  }
}

const LOCK = 'lock:';

/** All that is known of one who waits: its ticket, user and session. */
const MEMBER = z.tuple([z.string(), z.string(), z.string()]);

/** The locks in Redis. All keys of one app have one hash tag. */
export class RedisLockTable implements LockTable {
  readonly #redis: Redis;
  readonly #leaseMs: number;

  constructor(redis: Redis, leaseMs: number) {
    redis.defineCommand('gitmouthAsk', { numberOfKeys: 4, lua: ASK });
    redis.defineCommand('gitmouthLeave', { numberOfKeys: 3, lua: LEAVE });
    redis.defineCommand('gitmouthCheck', { numberOfKeys: 1, lua: CHECK });
    redis.defineCommand('gitmouthRemove', { numberOfKeys: 1, lua: REMOVE });
    redis.defineCommand('gitmouthRecall', { numberOfKeys: 1, lua: RECALL });
    this.#redis = redis;
    this.#leaseMs = leaseMs;
  }

  async ask(app: string, ticket: Ticket): Promise<TableAnswer> {
    const { id, user, session, mode, turn } = ticket;
    const { lock, token, queue, beats } = keysOf(app);
    const asked = [id, user, session, mode, turn === undefined ? '' : String(turn)];
    const limits = [String(this.#leaseMs), String(WAITER_MS)];
    const [kind = '', ...said] = await asking('lock', () =>
      this.#redis.gitmouthAsk(lock, token, queue, beats, memberOf(ticket), ...asked, ...limits),
    );
    return answerOf(kind, said);
  }

  async leave(app: string, ticket: Ticket): Promise<void> {
    const { lock, queue, beats } = keysOf(app);
    await asking('lock', () => this.#redis.gitmouthLeave(lock, queue, beats, memberOf(ticket), ticket.id));
  }

  async check(app: string, token: number, extend: boolean): Promise<Standing | undefined> {
    const leaseMs = extend ? String(this.#leaseMs) : '';
    const said = await asking('lock', () => this.#redis.gitmouthCheck(keysOf(app).lock, String(token), leaseMs));
    if (said === null) return undefined;
    return said === 'superseded' || said === 'lock-released' ? { recall: said } : {};
  }

  async remove(app: string, token: number): Promise<void> {
    await asking('lock', () => this.#redis.gitmouthRemove(keysOf(app).lock, String(token)));
  }

  async held(): Promise<readonly HeldLock[]> {
    const apps = await asking('lock', () => this.#apps());
    const locks = await Promise.all(apps.map((app) => this.#look(app, '')));
    return locks.filter((lock) => lock !== undefined);
  }

  recall(app: string, reason: LockRecall): Promise<HeldLock | undefined> {
    return this.#look(app, reason);
  }

  async #look(app: string, recall: LockRecall | ''): Promise<HeldLock | undefined> {
    const said = await asking('lock', () => this.#redis.gitmouthRecall(keysOf(app).lock, recall));
    if (said === null) return undefined;
    const [token, user = '', session = '', since, expiresAt] = said;
    return { app, token: Number(token), holder: { user, session, since: Number(since) }, expiresAt: Number(expiresAt) };
  }

  /** Whose lock is held. What else is in this Redis is passed over, and nothing waits for it. */
  async #apps(): Promise<readonly string[]> {
    const [before, after] = [`${KEY_PREFIX}${LOCK}{`, '}'];
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [next, keys] = await this.#redis.scan(cursor, 'MATCH', `${before}*${after}`, 'COUNT', 1000);
      for (const key of keys) found.add(key.slice(before.length, -after.length));
      cursor = next;
    } while (cursor !== '0');
    return [...found];
  }
}

function keysOf(app: string) {
  const lock = `${LOCK}{${app}}`;
  return { lock, token: `${lock}:token`, queue: `${lock}:queue`, beats: `${lock}:beats` };
}

function memberOf({ id, user, session }: Ticket): string {
  return JSON.stringify([id, user, session]);
}

function answerOf(kind: string, said: readonly string[]): TableAnswer {
  if (kind === 'taken') return { kind, token: Number(said[0]) };
  if (kind === 'held') {
    const [user = '', session = '', since, turn] = said;
    return { kind, holder: { user, session, since: Number(since) }, turn: turnOf(turn) };
  }
  const [member = '', since, turn] = said;
  const [, user, session] = MEMBER.parse(JSON.parse(member));
  return { kind: 'promised', to: { user, session, since: Number(since) }, turn: turnOf(turn) };
}

function turnOf(turn: string | undefined): number | undefined {
  return turn === undefined || turn === '' ? undefined : Number(turn);
}
