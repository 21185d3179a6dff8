import type { Socket } from 'node:net';
import { turnedAwayLine, type TurnedAway } from '../../../domain/words/turned-away.js';
import { disconnectMessage, plainPacket } from '../messages.js';
import { disconnectReason } from './turn-away.js';

/** How long a client that was not let in has to read why. */
const LINGER_MS = 500;

/** A flood of connections is not to be paid for with as many that linger. */
const MOST_LINGERING = 64;

let lingering = 0;

/**
 * Tells a client why before any keys are exchanged, and closes.
 * @param identification the server's own line, where it was not sent yet; a disconnect may follow it (RFC 4253 11.1).
 * @param waitMs for how long strangers from its address have fewer tries, where they do.
 */
export function farewell(socket: Socket, reason: TurnedAway, identification: string, waitMs?: number): void {
  const packet = plainPacket(disconnectMessage(disconnectReason(reason), turnedAwayLine(reason, waitMs)));
  socket.removeAllListeners('data');
  socket.end(Buffer.concat([Buffer.from(identification), packet]));
  if (lingering >= MOST_LINGERING) {
    socket.destroySoon();
    return;
  }
  // What the client sends is read and dropped: left unread, it would have the kernel reset the connection, and the
  // words with it.
  lingering += 1;
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('end', () => socket.destroySoon());
  socket.once('close', () => {
    lingering -= 1;
    clearTimeout(timer);
  });
}
