/** Pings of the transport (OpenSSH's PROTOCOL 1.9): OpenSSH hides by them when somebody types. */
import type { TurnedAway } from '../../domain/words/turned-away.js';
import type { Wire } from './internals.js';
import { message, MESSAGE, strings } from './messages.js';

/** To be advertised, with its version. */
export const PING_EXTENSION = { 'ping@openssh.com': '0' } as const;

/**
 * Answers each ping with what is in it, in their order; during a key exchange of ours, after it. To be put on behind the
 * guard, which ends the connection of a stranger who sends one, and bounds what is held for whoever does not read.
 */
export function answerPings(wire: Wire, turnAway: (reason: TurnedAway) => void): void {
  wire.onMessage((type, payload) => {
    if (type !== MESSAGE.PING) return true;
    const data = payload.subarray(1);
    if (strings(data, 1)?.length !== 1) {
      turnAway('broken-protocol');
      return false;
    }
    wire.post(message(MESSAGE.PONG, data));
    // ssh2 counts it as a sign of life, and passes over it.
    return true;
  });
}
