import type { Redis, Result } from 'ioredis';
import {
  isOffence,
  MOST_PENALTIES,
  subjectOf,
  subjectText,
  type Offence,
  type Penalty,
  type PenaltyBounds,
  type PenaltySubject,
} from '../../domain/penalty-policy.js';
import type { Clock } from '../../ports/clock.js';
import type { AddedPenalty, ListedPenalty, Penalties } from '../../ports/penalties.js';
import { ADD, CLEAR, LIST, OF } from './penalty-scripts.js';
import { asking } from './redis-connection.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    gitmouthAddPenalty(
      ...keysAndArgs: string[]
    ): Result<[lasts: number, isEnforced: number, hasBegun: number], Context>;
    gitmouthPenaltyOf(...keysAndArgs: string[]): Result<[lasts: number, facts: string] | null, Context>;
    gitmouthPenalties(...keysAndArgs: string[]): Result<readonly (string | number)[], Context>;
    gitmouthClearPenalties(...keysAndArgs: string[]): Result<number, Context>;
  }
}

const KEYS = ['penalties', 'penalties:facts'] as const;

/** Penalties in Redis, for any number of machines. */
export class RedisPenalties implements Penalties {
  readonly #redis: Redis;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #most: number;

  constructor(redis: Redis, clock: Pick<Clock, 'now'>, most = MOST_PENALTIES) {
    redis.defineCommand('gitmouthAddPenalty', { numberOfKeys: 2, lua: ADD });
    redis.defineCommand('gitmouthPenaltyOf', { numberOfKeys: 2, lua: OF });
    redis.defineCommand('gitmouthPenalties', { numberOfKeys: 2, lua: LIST });
    redis.defineCommand('gitmouthClearPenalties', { numberOfKeys: 2, lua: CLEAR });
    this.#redis = redis;
    this.#clock = clock;
    this.#most = most;
  }

  async add(
    subject: PenaltySubject,
    offence: Offence,
    ms: number,
    { minMs, maxMs }: PenaltyBounds,
  ): Promise<AddedPenalty> {
    const asked = [subjectText(subject), offence, ...[ms, minMs, maxMs, this.#most].map(String)];
    const answer = await asking('identify', () => this.#redis.gitmouthAddPenalty(...KEYS, ...asked));
    const [lasts, isEnforced, hasBegun] = answer;
    return { until: this.#clock.now() + lasts, offence, isEnforced: isEnforced === 1, hasBegun: hasBegun === 1 };
  }

  async of(subject: PenaltySubject): Promise<Penalty | undefined> {
    const found = await asking('identify', () => this.#redis.gitmouthPenaltyOf(...KEYS, subjectText(subject)));
    return found === null ? undefined : this.#penalty(...found);
  }

  async list(): Promise<readonly ListedPenalty[]> {
    const found = await asking('identify', () => this.#redis.gitmouthPenalties(...KEYS));
    const subjects = found.filter((_, at) => at % 3 === 0);
    return subjects.map((subject, at) => ({
      subject: subjectOf(String(subject)),
      ...this.#penalty(found[at * 3 + 1], found[at * 3 + 2]),
    }));
  }

  clear(whose: PenaltySubject | 'all'): Promise<number> {
    const subject = whose === 'all' ? '' : subjectText(whose);
    return asking('identify', () => this.#redis.gitmouthClearPenalties(...KEYS, subject));
  }

  #penalty(lasts: unknown, facts: unknown): Penalty {
    const text = String(facts);
    return {
      until: this.#clock.now() + Number(lasts),
      isEnforced: text.startsWith('1'),
      offence: offenceOf(text.slice(1)),
    };
  }
}

/** A newer gitmouth on the same Redis may know more of them. */
function offenceOf(text: string): Offence {
  return isOffence(text) ? text : 'failed-login';
}
