/** A door without a lock, to bring real git clients to a transport: git's own protocol (git-daemon(1)) on loopback. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Dyno } from '../../../src/domain/dyno.js';
import type { GitService } from '../../../src/domain/git-request.js';
import type { Transport } from '../../../src/ports/transport.js';
import { never } from '../../../src/contracts/contract.js';

export class GitDaemon {
  readonly #server: Server;
  readonly #transport: Transport;
  readonly #dynoFor: (service: GitService) => Dyno;
  readonly #sessions = new Set<Promise<void>>();

  constructor(transport: Transport, dynoFor: (service: GitService) => Dyno) {
    this.#transport = transport;
    this.#dynoFor = dynoFor;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      const session = this.#serve(socket).catch((error: unknown) => {
        socket.destroy();
        this.failures.push(error);
      });
      this.#sessions.add(session);
    });
  }

  readonly failures: unknown[] = [];
  /** Standard error of all sessions: git's own protocol has no place for it. */
  said = '';

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `git://127.0.0.1:${address.port}/app.git`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    await Promise.all(this.#sessions);
  }

  async #serve(socket: Socket): Promise<void> {
    const service = await requestedService(socket);
    const session = await this.#transport.open(this.#dynoFor(service), never());
    try {
      session.stderr.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
      const upload = pipeline(socket, session.stdin, { end: true }).catch(() => undefined);
      await pipeline(session.stdout, socket).catch(() => undefined);
      await session.exit;
      socket.destroy();
      await upload;
    } finally {
      await session.close();
    }
  }
}

/** The first packet: four hexadecimal digits of length, then `git-upload-pack /app.git\0host=…\0`. */
async function requestedService(socket: Socket): Promise<GitService> {
  let held = Buffer.alloc(0);
  while (held.length < 4 || held.length < Number.parseInt(held.toString('latin1', 0, 4), 16)) {
    await once(socket, 'readable');
    held = Buffer.concat([held, (socket.read() as Buffer | null) ?? Buffer.alloc(0)]);
  }
  const length = Number.parseInt(held.toString('latin1', 0, 4), 16);
  if (held.length > length) socket.unshift(held.subarray(length));
  return held.toString('latin1', 4, held.indexOf(' ')) as GitService;
}
