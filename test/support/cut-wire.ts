/** A wire between a client and a door that is cut after so many bytes. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Person } from './door.js';

export type Direction = 'up' | 'down';

interface Cut {
  readonly direction: Direction;
  readonly atByte: number;
  readonly then: () => void;
}

/** A door, or whatever else listens on loopback. */
interface Behind {
  readonly port: number;
}

export class CutWire {
  /** Bytes that have passed each way, over all connections. */
  readonly passed: Record<Direction, number> = { up: 0, down: 0 };
  readonly #server: Server;
  readonly #door: Behind;
  readonly #sockets = new Set<Socket>();
  #cut: Cut | undefined;

  private constructor(door: Behind, server: Server) {
    this.#door = door;
    this.#server = server;
    server.on('connection', (client: Socket) => {
      this.#join(client);
    });
  }

  static async to(door: Behind): Promise<CutWire> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CutWire(door, server);
  }

  /** Lets exactly so many bytes of a direction pass, then calls `then` and lets nothing pass any more. */
  cutAt(direction: Direction, atByte: number, then: () => void): void {
    this.#cut = { direction, atByte, then };
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the wire has no port');
    return address.port;
  }

  url(app: string): string {
    return `ssh://git@127.0.0.1:${this.port}/${app}.git`;
  }

  /** For `git`: as this person, who finds the door's own key behind the wire. */
  environment(person: Person): Record<string, string> {
    const alias = ['-o', `HostKeyAlias=[127.0.0.1]:${this.#door.port}`];
    return { ...person.environment, GIT_SSH_COMMAND: ['ssh', ...person.sshOptions, ...alias].join(' ') };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect({ port: this.#door.port, host: '127.0.0.1', noDelay: true });
    this.#pass('up', client, server);
    this.#pass('down', server, client);
  }

  #pass(direction: Direction, from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => {
      const cut = this.#cut?.direction === direction ? this.#cut : undefined;
      const room = cut === undefined ? chunk.length : cut.atByte - this.passed[direction];
      const passing = chunk.subarray(0, Math.max(0, room));
      this.passed[direction] += passing.length;
      if (passing.length > 0 && !to.write(passing)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      if (cut !== undefined && room <= chunk.length) {
        this.#cut = undefined;
        from.removeAllListeners('data');
        from.resume();
        cut.then();
      }
    });
    from.once('end', () => to.end());
    from.once('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
