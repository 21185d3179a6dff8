import type { HostileClient } from '../../../support/hostile/client.js';

/**
 * Has a client not fail for what the server answers to nonsense: a reply to a key exchange that it never began, say,
 * or packets under keys that it does not have.
 */
export function shield(client: HostileClient): HostileClient {
  const { socket } = client;
  for (const listener of socket.listeners('data')) {
    socket.off('data', listener as (chunk: Buffer) => void);
    socket.on('data', (chunk: Buffer) => {
      try {
        listener.call(socket, chunk);
      } catch {
        // It can't follow any more, and goes on sending.
      }
    });
  }
  return client;
}
