import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Whoever asks has its answer in a millisecond; what takes longer is no balancer. */
const CONNECTION_MS = 5_000;
/** With so many open the oldest goes, so that a crowd of silent ones keeps no balancer out. */
const CONNECTIONS = 64;
const HEADER_BYTES = 4 * 1024;

/** Why nobody should be sent here just now, in a line; undefined when all is well. Asked for every `/readyz`: cheap. */
export type Unreadiness = () => string | undefined;

/**
 * `/livez` and `/readyz` for balancers and supervisors: 200, or 503 with the reason. It says nothing else about anybody, and
 * answers one request a connection.
 */
export class HealthServer {
  readonly #unreadiness: Unreadiness;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  constructor(unreadiness: Unreadiness) {
    this.#unreadiness = unreadiness;
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES, keepAlive: false }, (request, response) => {
      this.#answer(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#admit(socket);
    });
    // Too many open files, say: whoever asked just now gets no answer, the next does.
    this.#server.on('error', () => undefined);
    // A client that can't speak is answered by silence.
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** @throws the listener's error (address in use, not permitted, …). */
  async listen(host: string, port: number): Promise<AddressInfo> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('listening on something that is no TCP port');
    return address;
  }

  /** Idempotent. */
  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  /** All of one connection has this time together: no byte that trickles in prolongs it. */
  #admit(socket: Socket): void {
    const [oldest] = this.#open;
    if (this.#open.size >= CONNECTIONS) oldest?.destroy();
    this.#open.add(socket);
    const timer = setTimeout(() => socket.destroy(), CONNECTION_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#open.delete(socket);
    });
  }

  #answer({ method, url }: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, text: string, headers: Record<string, string> = {}) => {
      response.writeHead(status, {
        ...{ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', connection: 'close' },
        ...headers,
      });
      response.end(method === 'HEAD' ? undefined : `${text}\n`);
    };
    const path = (url ?? '').split('?')[0];
    if (path !== '/livez' && path !== '/readyz') say(404, 'there is /livez and /readyz');
    else if (method !== 'GET' && method !== 'HEAD') say(405, 'GET or HEAD', { allow: 'GET, HEAD' });
    else {
      const reason = path === '/readyz' ? this.#unreadiness() : undefined;
      say(reason === undefined ? 200 : 503, reason ?? 'ok');
    }
  }
}
