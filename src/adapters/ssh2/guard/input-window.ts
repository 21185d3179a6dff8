import type { ServerWire } from '../internals.js';
import type { TurnAway } from './turn-away.js';

/**
 * Holds clients to the window that was granted them (RFC 4254 5.2). ssh2 refuses data only at a window of exactly 0,
 * and keeps all that comes past it.
 */
export function guardInputWindow(wire: ServerWire, turnAway: TurnAway): void {
  const mayTake = (channel: number, bytes: number): boolean => {
    const session = wire.session(channel);
    // Of a channel that is gone, or was never there: ssh2 drops it.
    if (session === undefined || bytes <= session.incoming.window) return true;
    turnAway('window-exceeded');
    return false;
  };
  wire.intercept('CHANNEL_DATA', (proceed, channel, data) => {
    if (!mayTake(channel, data.length)) return;
    const session = wire.session(channel);
    if (session?.isEnding === true) {
      // After its own end of data (RFC 4254 5.3).
      turnAway('message-out-of-place');
      return;
    }
    // Without a command ssh2 drops the data and forgets to count it.
    if (session?.isRunning === false) session.incoming.window -= data.length;
    proceed(channel, data);
  });
  wire.intercept('CHANNEL_EXTENDED_DATA', (_proceed, channel, data) => {
    // No client has anything to say there; it is counted, and dropped.
    const session = wire.session(channel);
    if (mayTake(channel, data.length) && session !== undefined) session.incoming.window -= data.length;
  });
}
