import { tryAgainIn } from './lines.js';

/** Why a connection was ended by a limit of this door, in a closed set of words. */
export type TurnedAway =
  | 'too-many-connections'
  | 'too-many-connections-of-user'
  | 'too-many-strangers'
  | 'login-timeout'
  | 'too-many-failures'
  | 'too-many-offers'
  | 'too-many-pending-logins'
  | 'idle'
  | 'keepalive-timeout'
  | 'unread-output'
  | 'stalled-output'
  | 'key-exchange-timeout'
  | 'too-many-key-exchanges'
  | 'message-before-login'
  | 'message-out-of-place'
  | 'window-exceeded'
  | 'bad-identification'
  | 'untrusted-proxy'
  | 'no-proxy-header'
  | 'bad-proxy-header'
  | 'proxy-header-timeout'
  | 'broken-protocol'
  | 'no-keys-agreed'
  | 'identification-timeout';

/**
 * One line: what happened, and what to do where something can be done.
 * @param waitMs for how long strangers from this address have fewer tries, where they do.
 */
export function turnedAwayLine(reason: TurnedAway, waitMs?: number): string {
  const line = lineOf(reason);
  return waitMs === undefined ? line : `${line} Too much has failed from your address. ${tryAgainIn(waitMs)}`;
}

function lineOf(reason: TurnedAway): string {
  switch (reason) {
    case 'too-many-connections':
      return 'This server has as many connections as it takes. Try again in a moment.';
    case 'too-many-connections-of-user':
      return 'You have as many connections open here as one user may. Close some, or use one for several commands (ControlMaster).';
    case 'too-many-strangers':
      return 'Too many connections are logging in at once. Try again in a moment.';
    case 'login-timeout':
      return 'The time to log in is over. Try again; unlock your key before, if it has a passphrase.';
    case 'too-many-failures':
      return 'Too many failed log-ins. Check which key you use (ssh -v shows it).';
    case 'too-many-offers':
      return 'Too many keys were offered and none is registered here. Name the right one: ssh -i <key> -o IdentitiesOnly=yes.';
    case 'too-many-pending-logins':
      return 'Too many log-in requests at once.';
    case 'idle':
      return 'Nothing has run over this connection for a while. Connect again when you need to.';
    case 'keepalive-timeout':
      return 'Your client has not answered for a while.';
    case 'unread-output':
      return 'Too much output was left unread.';
    case 'stalled-output':
      return 'No output has been read for too long.';
    case 'key-exchange-timeout':
      return 'The key exchange took too long.';
    case 'too-many-key-exchanges':
      return 'Too many key exchanges. Raise the rekey limit of your client.';
    case 'message-before-login':
      return 'This message is not allowed before the log-in.';
    case 'message-out-of-place':
      return 'This message is not allowed here.';
    case 'window-exceeded':
      return 'More data was sent than the window allowed.';
    case 'bad-identification':
      return 'The identification line is not one of SSH 2 (RFC 4253 4.2).';
    case 'untrusted-proxy':
      return 'A PROXY header came from an address that is none of the proxies of this server (GITMOUTH_PROXY_FROM).';
    case 'no-proxy-header':
      return 'The proxy in front of this server did not say whom it connects for: it has to send a PROXY header.';
    case 'bad-proxy-header':
      return 'The proxy in front of this server has sent a header that is not one of the PROXY protocol.';
    case 'proxy-header-timeout':
      return 'The proxy in front of this server did not say in time whom it connects for.';
    case 'broken-protocol':
      return 'What came last is not valid SSH: a broken client, or something on the line that changes what is sent.';
    case 'no-keys-agreed':
      return 'No keys could be agreed on. Update your client; this server offers no algorithm that is broken.';
    case 'identification-timeout':
      return 'No identification line came in time.';
  }
}

/** Why a channel was not opened. */
export type ChannelRefused = 'too-many-sessions' | 'tiny-packets' | 'number-in-use';

/** @param figure the limit that was passed, or the number in question. */
export function channelRefusedLine(reason: ChannelRefused, figure: number): string {
  switch (reason) {
    case 'too-many-sessions':
      return `${figure} sessions are open over this connection, as many as it takes. Close one, or connect anew.`;
    case 'tiny-packets':
      return `The maximum packet size must be at least ${figure} bytes.`;
    case 'number-in-use':
      return `Channel ${figure} is open already.`;
  }
}
