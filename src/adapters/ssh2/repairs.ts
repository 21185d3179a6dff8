/** What ssh2 gets wrong for honest clients, put right. */
import type { ServerWire } from './internals.js';

export function repair(wire: ServerWire): void {
  wire.keepRightGuesses();
  keepEarlyWindow(wire);
  answerLateRequests(wire);
  closeUnusedSessions(wire);
}

/** ssh2 forgets the window that a client grants between opening a session and its command. */
function keepEarlyWindow(wire: ServerWire): void {
  wire.intercept('CHANNEL_WINDOW_ADJUST', (proceed, channel, bytes) => {
    const session = wire.session(channel);
    if (session?.isRunning === false) session.outgoing.window += bytes;
    else proceed(channel, bytes);
  });
}

/**
 * Once a command runs, or its input has ended, ssh2 leaves requests to its channel without the reply they ask for,
 * which RFC 4254 5.4 owes: a client that sends its keepalives that way takes this server for dead.
 */
function answerLateRequests(wire: ServerWire): void {
  wire.intercept('CHANNEL_REQUEST', (proceed, channel, type, wantReply, data) => {
    const session = wire.session(channel);
    const isLate = session !== undefined && (session.isRunning || session.isEnding);
    proceed(channel, type, wantReply && !isLate, data);
    if (wantReply && isLate && session.outgoing.isOpen) wire.failRequest(session.outgoing.id);
  });
}

/** ssh2 neither answers the close of a session that never had a command nor forgets the session. */
function closeUnusedSessions(wire: ServerWire): void {
  wire.intercept('CHANNEL_CLOSE', (proceed, channel) => {
    const session = wire.session(channel);
    proceed(channel);
    if (session?.isRunning === false) wire.closeSession(session);
  });
}
