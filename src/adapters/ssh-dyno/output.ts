import { Readable } from 'node:stream';

/** What Node itself reads ahead of whoever reads. */
const AHEAD_BYTES = 16 * 1024;

/** Chunks below this are copied together: a dyno may send one byte at a time, each out of 64 KiB that it would pin. */
const BLOCK_BYTES = 32 * 1024;

/** One of a command's outputs: keeps what was not read yet, and tells of what was. */
export class DynoOutput extends Readable {
  readonly #taken: (bytes: number) => void;
  /** Whole chunks, in order. */
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** What is being put together of small chunks, behind all others. */
  #block = Buffer.alloc(0);
  #blockBytes = 0;
  #isAskedFor = false;
  #hasEnded = false;

  /** @param taken hears of bytes that are held here no longer. */
  constructor(taken: (bytes: number) => void) {
    super({ highWaterMark: AHEAD_BYTES });
    this.#taken = taken;
  }

  /** Bytes that nobody has asked for yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Takes what the dyno sent. */
  accept(bytes: Buffer): void {
    if (bytes.length === 0 || this.#hasEnded) return;
    if (this.destroyed) {
      this.#taken(bytes.length);
      return;
    }
    this.#waitingBytes += bytes.length;
    if (bytes.length < BLOCK_BYTES) this.#gather(bytes);
    else {
      this.#closeBlock();
      this.#waiting.push(bytes);
    }
    if (this.#isAskedFor) this.#handOut();
  }

  /** Nothing more comes; ends when what waits was read. */
  finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#isAskedFor) this.#handOut();
  }

  override _read(): void {
    this.#handOut();
  }

  override _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void {
    const dropped = this.#waitingBytes;
    this.#waiting.length = 0;
    this.#blockBytes = this.#waitingBytes = 0;
    this.#taken(dropped);
    destroyed(error);
  }

  #handOut(): void {
    if (this.#waiting.length === 0) this.#closeBlock();
    const next = this.#waiting.shift();
    this.#isAskedFor = next === undefined && !this.#hasEnded;
    if (next !== undefined) {
      this.#waitingBytes -= next.length;
      this.push(next);
      this.#taken(next.length);
    } else if (this.#hasEnded) this.push(null);
  }

  #gather(bytes: Buffer): void {
    if (this.#blockBytes + bytes.length > this.#block.length) {
      this.#closeBlock();
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    }
    bytes.copy(this.#block, this.#blockBytes);
    this.#blockBytes += bytes.length;
  }

  #closeBlock(): void {
    if (this.#blockBytes === 0) return;
    this.#waiting.push(this.#block.subarray(0, this.#blockBytes));
    // What is left of it takes the next ones.
    this.#block = this.#block.subarray(this.#blockBytes);
    this.#blockBytes = 0;
  }
}
