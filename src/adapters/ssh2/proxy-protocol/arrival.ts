import type { Socket } from 'node:net';
import type { Endpoint, Origin } from '../../../domain/proxy-rules.js';
import type { TurnedAway } from '../../../domain/words/turned-away.js';
import { readHeader, type Reading } from './header.js';

/** Why a connection of a listed proxy is not served. */
export type HeaderProblem = Extract<TurnedAway, 'no-proxy-header' | 'bad-proxy-header' | 'proxy-header-timeout'>;

/**
 * Waits for the header of a proxy's connection. What came behind it is left to whoever reads next.
 * @returns who has connected; undefined when the connection is over, as that of a health check may be at once.
 */
export async function awaitOrigin(
  socket: Socket,
  proxy: Endpoint,
  limitMs: number,
): Promise<Origin | HeaderProblem | undefined> {
  if (socket.destroyed || socket.readableEnded) return undefined;
  const reading = await firstReading(socket, limitMs);
  switch (reading.kind) {
    case 'header':
      if (socket.destroyed || socket.readableEnded) return undefined;
      return reading.source === undefined ? proxy : { ...reading.source, via: proxy.address };
    case 'none':
      return 'no-proxy-header';
    case 'bad':
      return 'bad-proxy-header';
    case 'late':
      return 'proxy-header-timeout';
    case 'gone':
      return undefined;
  }
}

type Outcome = Exclude<Reading, { kind: 'more' }> | { readonly kind: 'late' | 'gone' };

/** By `readable` and not by `data`, which would take what others are to read, too. */
function firstReading(socket: Socket, limitMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const settle = (outcome: Outcome) => {
      clearTimeout(timer);
      socket.off('readable', read).off('end', gone).off('close', gone);
      resolve(outcome);
    };
    const read = () => {
      const more: unknown = socket.read();
      if (!Buffer.isBuffer(more)) return;
      bytes = Buffer.concat([bytes, more]);
      const reading = readHeader(bytes);
      if (reading.kind === 'more') return;
      if (reading.kind === 'header' && reading.bytesUsed < bytes.length)
        socket.unshift(bytes.subarray(reading.bytesUsed));
      settle(reading);
    };
    const gone = () => {
      settle({ kind: 'gone' });
    };
    const timer = setTimeout(() => {
      settle({ kind: 'late' });
    }, limitMs);
    socket.on('readable', read).once('end', gone).once('close', gone);
  });
}
