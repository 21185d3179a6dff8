import type { Wire } from './internals.js';

/** Above this many unsent bytes of a connection, its channels wait. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * Backpressure from the socket to the channels of one connection.
 *
 * ssh2 ignores what `socket.write` answers: a client that grants a huge window and stops reading would have the whole
 * repository buffered here. Every write of a channel therefore waits until what is queued (in the socket, and behind
 * a key exchange) has gone down.
 */
export class Outflow {
  readonly #wire: Wire;
  readonly #waiting: (() => void)[] = [];

  constructor(wire: Wire) {
    this.#wire = wire;
    const resume = () => {
      this.#resume();
    };
    wire.socket.on('drain', resume);
    wire.onKeyExchanged(resume);
  }

  /** Calls `write` once there is room: at once, if there is. Never, when the connection ends first. */
  whenRoom(write: () => void): void {
    if (this.#waiting.length === 0 && this.#wire.queuedBytes < HIGH_WATER_BYTES) write();
    else this.#waiting.push(write);
  }

  queuedBytes(): number {
    return this.#wire.queuedBytes;
  }

  /** One at a time and only while there is room, so that many channels do not overfill the queue at once. */
  #resume(): void {
    while (this.#wire.queuedBytes < HIGH_WATER_BYTES) {
      const write = this.#waiting.shift();
      if (write === undefined) return;
      write();
    }
  }
}
