import { turnedAwayLine, type TurnedAway } from '../../../domain/words/turned-away.js';
import { DISCONNECT } from '../messages.js';

/** Ends the connection that a limit was passed on. */
export type TurnAway = (reason: TurnedAway) => void;

/** The disconnect reason of RFC 4253 11.1 that says most nearly the same. */
export function disconnectReason(reason: TurnedAway): number {
  switch (reason) {
    case 'too-many-connections':
    case 'too-many-connections-of-user':
    case 'too-many-strangers':
      return DISCONNECT.TOO_MANY_CONNECTIONS;
    case 'login-timeout':
    case 'idle':
    case 'keepalive-timeout':
    case 'unread-output':
    case 'stalled-output':
    case 'identification-timeout':
    case 'proxy-header-timeout':
      return DISCONNECT.BY_APPLICATION;
    case 'too-many-failures':
    case 'too-many-offers':
      return DISCONNECT.NO_MORE_AUTH_METHODS_AVAILABLE;
    case 'key-exchange-timeout':
    case 'no-keys-agreed':
      return DISCONNECT.KEY_EXCHANGE_FAILED;
    case 'too-many-pending-logins':
    case 'too-many-key-exchanges':
    case 'message-before-login':
    case 'message-out-of-place':
    case 'window-exceeded':
    case 'bad-identification':
    case 'untrusted-proxy':
    case 'no-proxy-header':
    case 'bad-proxy-header':
    case 'broken-protocol':
      return DISCONNECT.PROTOCOL_ERROR;
  }
}

/** Words for a reason that the library gave by itself. */
export function wordsOfDisconnect(reason: number): string {
  switch (reason) {
    case DISCONNECT.KEY_EXCHANGE_FAILED:
      return turnedAwayLine('no-keys-agreed');
    case DISCONNECT.PROTOCOL_ERROR:
      return turnedAwayLine('broken-protocol');
    default:
      return '';
  }
}
