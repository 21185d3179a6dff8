/** What is sent over the one channel of a connection (RFC 4254 5, 6). */
import { boolean, message, MESSAGE, OPEN_FAILURE, string, uint32 } from '../ssh2/messages.js';

/** Our number of the only channel there is. */
export const OUR_CHANNEL = 0;

/** What every SSH implementation must take (RFC 4253 6.1). */
export const PACKET_BYTES = 32 * 1024;

export function openSession(windowBytes: number): Buffer {
  return message(
    MESSAGE.CHANNEL_OPEN,
    string('session'),
    uint32(OUR_CHANNEL),
    uint32(windowBytes),
    uint32(PACKET_BYTES),
  );
}

export function channelRequest(theirs: number, type: string, wantReply: boolean, ...data: readonly Buffer[]): Buffer {
  return message(MESSAGE.CHANNEL_REQUEST, uint32(theirs), string(type), boolean(wantReply), ...data);
}

export function channelData(theirs: number, bytes: Buffer): Buffer {
  return message(MESSAGE.CHANNEL_DATA, uint32(theirs), string(bytes));
}

export function windowAdjust(theirs: number, bytes: number): Buffer {
  return message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(theirs), uint32(bytes));
}

export function channelEnd(theirs: number): Buffer {
  return message(MESSAGE.CHANNEL_EOF, uint32(theirs));
}

export function channelClose(theirs: number): Buffer {
  return message(MESSAGE.CHANNEL_CLOSE, uint32(theirs));
}

export function channelFailure(theirs: number): Buffer {
  return message(MESSAGE.CHANNEL_FAILURE, uint32(theirs));
}

/** No channel of the dyno's is opened, of whatever type: agent, X11, a forwarded port. */
export function refuseChannel(theirs: number): Buffer {
  const words = 'gitmouth opens no channels to itself';
  return message(
    MESSAGE.CHANNEL_OPEN_FAILURE,
    uint32(theirs),
    uint32(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED),
    string(words),
    string(''),
  );
}

export function requestFailure(): Buffer {
  return message(MESSAGE.REQUEST_FAILURE);
}

/** As OpenSSH asks whether anybody is there; any answer will do, and "no such request" is one. */
export function keepalive(): Buffer {
  return message(MESSAGE.GLOBAL_REQUEST, string('keepalive@openssh.com'), boolean(true));
}
