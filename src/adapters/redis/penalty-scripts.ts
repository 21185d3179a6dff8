import { CLOCK } from './script-clock.js';

/**
 * What happens to penalties, each step whole, by the server itself and by its clock.
 *
 * The keys: the subjects, by when they are rid of it, in milliseconds; and the facts of each: `1` where it is enforced
 * and `0` where not, then the offence.
 */

/** Before each script: what has run off is forgotten, a thousand at a time. */
const NOW = `${CLOCK}
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

/** ARGV: subject, offence, ms, least ms, most ms, most subjects. How long it lasts, whether it is enforced, whether since this one: the arithmetic of `addPenalty`. */
export const ADD = `${NOW}
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

/** ARGV: subject. How long it lasts and its facts; nothing when there is none. */
export const OF = `${NOW}
  local lasts = left(ARGV[1])
  if not lasts then return nil end
  return { lasts, redis.call('HGET', KEYS[2], ARGV[1]) }
`;

/** Subject, how long it lasts, its facts, and so on; the longest first. */
export const LIST = `${NOW}
  local found = {}
  for _, subject in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. now)) do
    table.insert(found, subject)
    table.insert(found, left(subject))
    table.insert(found, redis.call('HGET', KEYS[2], subject))
  end
  return found
`;

/** ARGV: subject, or '' for all. How many there were. */
export const CLEAR = `${NOW}
  if ARGV[1] ~= '' then
    redis.call('HDEL', KEYS[2], ARGV[1])
    return redis.call('ZREM', KEYS[1], ARGV[1])
  end
  local count = redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')
  redis.call('DEL', KEYS[1], KEYS[2])
  return count
`;
