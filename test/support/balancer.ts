/** A TCP balancer in miniature: takes connections, says whose each is if it is told to, and copies both ways. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Balancer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What goes before everything a client sends; nothing, if undefined. */
  header: Buffer | undefined;

  /** @param from the balancer's own address towards the server. */
  private constructor(serverPort: () => number, from: string) {
    this.#server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ host: '127.0.0.1', port: serverPort(), localAddress: from, noDelay: true });
      if (this.header !== undefined) upstream.write(this.header);
      client.pipe(upstream).pipe(client);
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          this.#sockets.delete(socket);
          other.destroySoon();
        });
      }
    });
  }

  static async start(serverPort: () => number, from: string): Promise<Balancer> {
    const balancer = new Balancer(serverPort, from);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}
