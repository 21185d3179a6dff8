import { CLOCK } from './script-clock.js';

/**
 * What happens to a lock, each step whole, by the server itself and by its clock (redis.io, "Scripting with Lua"). Numbers
 * that may be large go as text: Lua would write a token as 1.7e+12.
 *
 * The keys: the lock, a hash that runs out with its lease; the last token; those who wait, by their turn; and those who
 * wait, by when they count as gone. A waiter's member is all that is known of it, as JSON.
 */

const TIME = `${CLOCK}
local function text(number) return string.format('%.0f', number) end
`;

/** KEYS: lock, token, queue, beats. ARGV: member, ticket, user, session, mode, turn or '', lease in ms, WAITER_MS. */
export const ASK = `${TIME}
local lock, last, queue, beats = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me, ticket, user, session, mode, turn = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local waiterMs = tonumber(ARGV[8])

local function leave(member)
  redis.call('ZREM', queue, member)
  redis.call('ZREM', beats, member)
end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', beats, '-inf', text(now))) do leave(gone) end

if mode ~= 'refuse' then
  local known = redis.call('ZSCORE', queue, me)
  if known then
    turn = text(known)
  else
    if turn == '' then
      local top = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')[2]
      turn = text(math.max(now, (tonumber(top) or 0) + 1))
    end
    redis.call('ZADD', queue, turn, me)
  end
  local beat = tonumber(redis.call('ZSCORE', beats, me) or 0)
  if beat - now < waiterMs / 2 then
    redis.call('ZADD', beats, text(now + waiterMs), me)
    redis.call('PEXPIRE', queue, waiterMs * 2)
    redis.call('PEXPIRE', beats, waiterMs * 2)
  end
end

local held = redis.call('HMGET', lock, 'user', 'session', 'since', 'recall')
if held[1] then
  if mode == 'supersede' and not held[4] then redis.call('HSET', lock, 'recall', 'superseded') end
  return {'held', held[1], held[2], held[3], turn}
end

local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
if first[1] and first[1] ~= me then return {'promised', first[1], text(first[2]), turn} end

local token = text(math.max(now, (tonumber(redis.call('GET', last)) or 0) + 1))
redis.call('SET', last, token)
redis.call('HSET', lock, 'token', token, 'user', user, 'session', session, 'since', text(now), 'ticket', ticket)
redis.call('PEXPIRE', lock, ARGV[7])
leave(me)
return {'taken', token}
`;

/** KEYS: lock, queue, beats. ARGV: member, ticket. */
export const LEAVE = `
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[1], 'ticket') == ARGV[2] then redis.call('DEL', KEYS[1]) end
`;

/** KEYS: lock. ARGV: token, new length in ms or ''. Nothing when the lock is not held by the token. */
export const CHECK = `
local held = redis.call('HMGET', KEYS[1], 'token', 'recall')
if held[1] ~= ARGV[1] then return false end
if ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return held[2] or ''
`;

/** KEYS: lock. ARGV: token. */
export const REMOVE = `
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('DEL', KEYS[1]) end
`;

/** KEYS: lock. ARGV: why it is to be let go, or '' to look alone. Nothing when it is free. */
export const RECALL = `${TIME}
local held = redis.call('HMGET', KEYS[1], 'token', 'user', 'session', 'since', 'recall')
if not held[1] then return false end
if ARGV[1] ~= '' and not held[5] then redis.call('HSET', KEYS[1], 'recall', ARGV[1]) end
return {held[1], held[2], held[3], held[4], text(now + redis.call('PTTL', KEYS[1]))}
`;
