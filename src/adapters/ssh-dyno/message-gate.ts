import type { ClientWire } from '../ssh2/internals.js';
import { MESSAGE } from '../ssh2/messages.js';
import type { Breach } from './breach.js';
import { CutShort, PayloadReader } from './payload.js';

/** What ssh2 may see at any time outside a key exchange. */
const ALWAYS: readonly number[] = [MESSAGE.IGNORE, MESSAGE.UNIMPLEMENTED, MESSAGE.DEBUG, MESSAGE.KEXINIT];

/** What a log-in with one key has one of at most: each leads to work or an answer of ours. */
const ONCE: readonly number[] = [
  MESSAGE.SERVICE_ACCEPT,
  MESSAGE.EXT_INFO,
  MESSAGE.USERAUTH_PK_OK,
  MESSAGE.USERAUTH_FAILURE,
  MESSAGE.USERAUTH_SUCCESS,
];

/** They answer a request that was made upon `SERVICE_ACCEPT`. */
const ANSWERS: readonly number[] = [MESSAGE.USERAUTH_PK_OK, MESSAGE.USERAUTH_FAILURE, MESSAGE.USERAUTH_SUCCESS];

interface Listener {
  /** The connection protocol, after the log-in. */
  receive(type: number, payload: Buffer): void;
  /** The dyno leaves, and says why. */
  leaves(words: string): void;
  breach(breach: Breach): void;
}

/**
 * Lets through to ssh2 only what belongs to the log-in, and that once. What comes after it is for the listener: ssh2's
 * client would prove host keys, open channels, and keep answers that nobody reads.
 */
export function gateMessages(wire: ClientWire, listener: Listener): void {
  const seen = new Set<number>();

  const mayPassBeforeLogin = (type: number): boolean => {
    if (type === MESSAGE.USERAUTH_BANNER) return true;
    const hasPlace = ONCE.includes(type) && !seen.has(type);
    const isAnswer = ANSWERS.includes(type);
    seen.add(type);
    if (hasPlace && (!isAnswer || seen.has(MESSAGE.SERVICE_ACCEPT))) return true;
    listener.breach('message-before-login');
    return false;
  };

  const receive = (type: number, payload: Buffer) => {
    try {
      listener.receive(type, payload);
    } catch (error) {
      if (!(error instanceof CutShort)) throw error;
      listener.breach('broken-protocol');
    }
  };

  wire.onMessage((type, payload) => {
    if (ALWAYS.includes(type)) return true;
    if (type === MESSAGE.DISCONNECT) listener.leaves(wordsOf(payload));
    else if (!wire.isAuthenticated) return mayPassBeforeLogin(type);
    else if (type >= MESSAGE.GLOBAL_REQUEST && type <= MESSAGE.CHANNEL_FAILURE) receive(type, payload);
    // It may come once more after the log-in (RFC 8308 2.4). Other numbers below 20 and above 100 are of protocols to come.
    else if (type >= MESSAGE.KEXINIT && type < MESSAGE.GLOBAL_REQUEST) listener.breach('message-out-of-place');
    return false;
  });
}

/** RFC 4253 11.1; one that is cut short says nothing. */
function wordsOf(payload: Buffer): string {
  try {
    const fields = new PayloadReader(payload);
    fields.uint32();
    return fields.text();
  } catch {
    return '';
  }
}
