import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Where connections come in: any number of addresses. */
export class Listeners {
  readonly #listeners: Server[] = [];
  readonly #accept: (socket: Socket) => void;
  readonly #failed: (error: Error) => void;

  /** @param failed told when an address that is listened on takes no connection. */
  constructor(accept: (socket: Socket) => void, failed: (error: Error) => void) {
    this.#accept = accept;
    this.#failed = failed;
  }

  /**
   * @param isIpv6Only leaves the IPv4 addresses that `::` stands for, too, to others.
   * @throws the listener's error (address in use, not permitted, …).
   */
  async listen(host: string, port: number, isIpv6Only: boolean): Promise<AddressInfo> {
    // Without TCP_NODELAY a small answer waits for the client's delayed acknowledgement: 148 ms for an ls-remote
    // instead of 24.
    const listener = createServer({ noDelay: true }, this.#accept);
    // Too many open files, say: this client can't be served, those that are connected can.
    listener.on('error', (error) => {
      if (listener.listening) this.#failed(error);
    });
    listener.listen({ port, host, ipv6Only: isIpv6Only });
    await once(listener, 'listening');
    this.#listeners.push(listener);
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('listening on something that is no TCP port');
    return address;
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
  }
}
