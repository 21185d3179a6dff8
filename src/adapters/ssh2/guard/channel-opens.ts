import { channelRefusedLine, type ChannelRefused } from '../../../domain/words/turned-away.js';
import type { ServerWire } from '../internals.js';
import { OPEN_FAILURE } from '../messages.js';

/**
 * A smaller maximum packet size is an attack: at 0 ssh2 loops for ever on the first write, and at 1 it makes a packet
 * of every byte.
 */
const SMALLEST_PACKET_BYTES = 256;

/** The size every SSH implementation must take (RFC 4253 6.1), and the largest that is sent. */
const LARGEST_PACKET_BYTES = 32 * 1024;

/** Opens sessions as far as their number and their packet size allow; whoever gets none is told why. */
export function guardChannelOpens(wire: ServerWire, sessionsPerConnection: number): void {
  wire.intercept('CHANNEL_OPEN', (proceed, info) => {
    const refuse = (reason: ChannelRefused, limit: number) => {
      wire.refuseChannel(info.sender, OPEN_FAILURE.RESOURCE_SHORTAGE, channelRefusedLine(reason, limit));
    };
    if (info.packetSize < SMALLEST_PACKET_BYTES) refuse('tiny-packets', SMALLEST_PACKET_BYTES);
    else if (wire.openSessions >= sessionsPerConnection) refuse('too-many-sessions', sessionsPerConnection);
    // Two channels of one number could not be told apart.
    else if (wire.isOpenAtClient(info.sender)) refuse('number-in-use', info.sender);
    else proceed({ ...info, packetSize: Math.min(info.packetSize, LARGEST_PACKET_BYTES) });
  });
}
