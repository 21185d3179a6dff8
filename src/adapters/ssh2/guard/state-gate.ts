import type { Wire } from '../internals.js';
import { MESSAGE } from '../messages.js';
import type { TurnAway } from './turn-away.js';

/** What a client may send at any time outside a key exchange. */
const ALWAYS: readonly number[] = [
  MESSAGE.DISCONNECT,
  MESSAGE.IGNORE,
  MESSAGE.UNIMPLEMENTED,
  MESSAGE.DEBUG,
  MESSAGE.SERVICE_REQUEST,
  MESSAGE.EXT_INFO,
  MESSAGE.KEXINIT,
];

/**
 * Lets through only the messages that have a place in the connection's state.
 *
 * ssh2 answers global requests and channel opens of strangers, and keeps the answers for whoever does not read them.
 * RFC 4252 6: before the log-in, what belongs to later services ends the connection.
 */
export function gateByState(wire: Wire, turnAway: TurnAway): void {
  wire.onMessage((type) => {
    if (ALWAYS.includes(type)) return true;
    if (type === MESSAGE.USERAUTH_REQUEST) {
      // After the log-in further requests are silently ignored (RFC 4252 5.1): they were pipelined.
      return !wire.isAuthenticated;
    }
    if (wire.isAuthenticated) {
      // 8 to 19 and 101 on: of protocols to come, which ssh2 passes over. 21 to 79: of an exchange or log-in that is
      // not under way.
      const hasPlace = type < 20 || type >= MESSAGE.GLOBAL_REQUEST;
      if (!hasPlace) turnAway('message-out-of-place');
      return hasPlace;
    }
    turnAway('message-before-login');
    return false;
  });
}
