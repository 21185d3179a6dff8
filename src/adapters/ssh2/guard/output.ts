import type { AdmissionLimits } from '../../../domain/admission-policy.js';
import type { Wire } from '../internals.js';
import type { TurnAway } from './turn-away.js';

/** How often the time without any progress is looked at, within its limit. */
const LOOKS = 4;

/**
 * Bounds what is held for a client that does not read, in bytes and in time. Git's own output waits by itself
 * (`Outflow`); this is for answers to requests, which ssh2 writes whether anybody takes them or not.
 */
export function guardOutput(
  wire: Wire,
  limits: Pick<AdmissionLimits, 'unreadBytes' | 'unreadBytesBeforeLogin' | 'unreadMs'>,
  turnAway: TurnAway,
): void {
  const { socket } = wire;
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;

  /** While something waits, the kernel must have taken some of it since the last look but few. */
  const watch = () => {
    let taken = sent - socket.writableLength;
    let looksWithout = 0;
    timer = setInterval(() => {
      const now = sent - socket.writableLength;
      if (socket.writableLength === 0) {
        clearInterval(timer);
        timer = undefined;
      } else if (now > taken) {
        taken = now;
        looksWithout = 0;
      } else {
        looksWithout += 1;
        if (looksWithout >= LOOKS) turnAway('stalled-output');
      }
    }, limits.unreadMs / LOOKS);
    timer.unref();
  };

  wire.onSent((bytes) => {
    sent += bytes;
    const most = wire.isAuthenticated ? limits.unreadBytes : limits.unreadBytesBeforeLogin;
    if (wire.queuedBytes > most) turnAway('unread-output');
    else if (timer === undefined && socket.writableLength > 0) watch();
  });
  socket.once('close', () => {
    clearInterval(timer);
  });
}
