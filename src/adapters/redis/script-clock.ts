/** In front of a script that asks for the time, by the server's own clock: ours need not agree. `now` is in milliseconds. */
export const CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;
