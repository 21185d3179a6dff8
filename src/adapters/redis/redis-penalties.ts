import type { Redis } from 'ioredis';
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
import { asking } from './redis-connection.js';

/** Subjects, by when they are rid of it, in milliseconds of Redis's own clock: the servers' clocks need not agree. */
const ENDS = 'penalties';
/** By subject: `1` where it is enforced and `0` where not, then the offence. */
const FACTS = 'penalties:facts';

/** Before each script: what has run off is forgotten, a thousand at a time. */
const NOW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)
  if #gone > 0 then
    redis.call('ZREM', KEYS[1], unpack(gone))
    redis.call('HDEL', KEYS[2], unpack(gone))
  end
  local function left(subject)
    local ends = redis.call('ZSCORE', KEYS[1], subject)
    if not ends or tonumber(ends) <= now then return nil end
    return ends - now
  end
`;

/** The arithmetic of `addPenalty`: how long, whether it is enforced, whether since this one. */
const ADD = `${NOW}
  local subject, offence = ARGV[1], ARGV[2]
  local ms, min, max, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  local before = left(subject)
  local was = before and string.sub(redis.call('HGET', KEYS[2], subject) or '0', 1, 1) == '1'
  local lasts = math.min((before or 0) + ms, max)
  local is = was or lasts >= min
  redis.call('ZADD', KEYS[1], now + lasts, subject)
  redis.call('HSET', KEYS[2], subject, (is and '1' or '0') .. offence)
  local over = redis.call('ZCARD', KEYS[1]) - most
  if over > 0 then
    for at, popped in ipairs(redis.call('ZPOPMIN', KEYS[1], over)) do
      if at % 2 == 1 then redis.call('HDEL', KEYS[2], popped) end
    end
  end
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, math.max(1, math.ceil(last[2] - now))) end
  return { lasts, is and 1 or 0, (is and not was) and 1 or 0 }
`;

const OF = `${NOW}
  local lasts = left(ARGV[1])
  if not lasts then return nil end
  return { lasts, redis.call('HGET', KEYS[2], ARGV[1]) }
`;

const LIST = `${NOW}
  local found = {}
  for _, subject in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. now)) do
    table.insert(found, subject)
    table.insert(found, left(subject))
    table.insert(found, redis.call('HGET', KEYS[2], subject))
  end
  return found
`;

const CLEAR = `${NOW}
  if ARGV[1] ~= '' then
    redis.call('HDEL', KEYS[2], ARGV[1])
    return redis.call('ZREM', KEYS[1], ARGV[1])
  end
  local count = redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')
  redis.call('DEL', KEYS[1], KEYS[2])
  return count
`;

/** Penalties in Redis, for any number of machines. */
export class RedisPenalties implements Penalties {
  readonly #redis: Redis;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #most: number;

  constructor(redis: Redis, clock: Pick<Clock, 'now'>, most = MOST_PENALTIES) {
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
    const answer = await this.#run(ADD, subjectText(subject), offence, ms, minMs, maxMs, this.#most);
    const [lasts, isEnforced, hasBegun] = numbers(answer);
    return { until: this.#clock.now() + lasts, offence, isEnforced: isEnforced === 1, hasBegun: hasBegun === 1 };
  }

  async of(subject: PenaltySubject): Promise<Penalty | undefined> {
    const answer = await this.#run(OF, subjectText(subject));
    if (answer === null) return undefined;
    const [lasts, facts] = list(answer);
    return this.#penalty(lasts, facts);
  }

  async list(): Promise<readonly ListedPenalty[]> {
    const found = list(await this.#run(LIST));
    const subjects = found.filter((_, at) => at % 3 === 0);
    return subjects.map((subject, at) => ({
      subject: subjectOf(String(subject)),
      ...this.#penalty(found[at * 3 + 1], found[at * 3 + 2]),
    }));
  }

  async clear(whose: PenaltySubject | 'all'): Promise<number> {
    return Number(await this.#run(CLEAR, whose === 'all' ? '' : subjectText(whose)));
  }

  #run(script: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return asking('identify', () => this.#redis.eval(script, 2, ENDS, FACTS, ...args));
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

function list(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}

function numbers(answer: unknown): readonly [number, number, number] {
  const [first, second, third] = list(answer).map(Number);
  return [first ?? 0, second ?? 0, third ?? 0];
}
