import type { Wire } from './internals.js';

/** Above this many unsent bytes of a connection, its channels wait. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * So many packets of a connection are sent before every other connection has had its turn. At the usual 32 KiB that is
 * a mebibyte; it holds up only clients who ask for tiny packets, each of which costs as much work as a large one.
 */
export const PACKETS_PER_TURN = 32;

interface Waiting {
  readonly packets: number;
  readonly write: () => void;
}

/**
 * Backpressure from the socket to the channels of one connection.
 *
 * ssh2 ignores what `socket.write` answers: a client that grants a huge window and stops reading would have the whole
 * repository buffered here. Every write of a channel therefore waits until what is queued (in the socket, and behind
 * a key exchange) has gone down, and until others have had their turn.
 */
export class Outflow {
  readonly #wire: Wire;
  readonly #waiting: Waiting[] = [];
  #packetsThisTurn = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
    const resume = () => {
      this.#resume();
    };
    wire.socket.on('drain', resume);
    wire.onKeyExchanged(resume);
  }

  /**
   * Calls `write` once there is room: at once, if there is. Never, when the connection ends first.
   * @param packets how many it makes, at most `PACKETS_PER_TURN`.
   */
  whenRoom(packets: number, write: () => void): void {
    if (this.#waiting.length === 0 && this.#hasRoom()) this.#write({ packets, write });
    else this.#waiting.push({ packets, write });
  }

  queuedBytes(): number {
    return this.#wire.queuedBytes;
  }

  #hasRoom(): boolean {
    return this.#wire.queuedBytes < HIGH_WATER_BYTES && this.#packetsThisTurn < PACKETS_PER_TURN;
  }

  #write({ packets, write }: Waiting): void {
    if (this.#packetsThisTurn === 0) {
      setImmediate(() => {
        this.#packetsThisTurn = 0;
        this.#resume();
      });
    }
    this.#packetsThisTurn += packets;
    write();
  }

  /** One at a time and only while there is room, so that many channels do not overfill the queue at once. */
  #resume(): void {
    while (this.#hasRoom()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#write(next);
    }
  }
}
