import { Writable } from 'node:stream';
import { PACKETS_PER_TURN, type Outflow } from '../ssh2/outflow.js';

const BUFFER_BYTES = 64 * 1024;

/** A window can't be larger (RFC 4254 5.2). */
const LARGEST_WINDOW_BYTES = 2 ** 32 - 1;

type Done = (error?: Error | null) => void;

export interface InputWay {
  /** Bytes the dyno takes at once, and in one packet. */
  readonly windowBytes: number;
  readonly packetBytes: number;
  send(bytes: Buffer): void;
  end(): void;
}

/**
 * A command's input: one chunk at a time, as far as the dyno's window goes and the connection has room.
 *
 * Whoever owns it destroys it when the dyno takes no more; a write that waits is called back then.
 */
export class DynoInput extends Writable {
  readonly #way: InputWay;
  readonly #outflow: Outflow;
  #windowBytes: number;
  #due: Buffer = Buffer.alloc(0);
  #done: Done | undefined;
  #isWaitingForRoom = false;

  constructor(way: InputWay, outflow: Outflow) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#way = way;
    this.#outflow = outflow;
    this.#windowBytes = way.windowBytes;
  }

  /** The dyno takes so much more. */
  widen(bytes: number): void {
    this.#windowBytes = Math.min(LARGEST_WINDOW_BYTES, this.#windowBytes + bytes);
    this.#go();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#due = chunk;
    this.#done = done;
    this.#go();
  }

  override _final(done: Done): void {
    this.#way.end();
    done();
  }

  override _destroy(error: Error | null, destroyed: Done): void {
    this.#due = Buffer.alloc(0);
    this.#settle(new Error('the command takes no more input'));
    destroyed(error);
  }

  #go(): void {
    const { packetBytes } = this.#way;
    const bytes = Math.min(this.#due.length, this.#windowBytes, PACKETS_PER_TURN * packetBytes);
    if (this.#isWaitingForRoom || this.#done === undefined) return;
    if (this.#due.length === 0) {
      this.#settle();
      return;
    }
    if (bytes === 0) return;
    this.#isWaitingForRoom = true;
    this.#outflow.whenRoom(Math.ceil(bytes / packetBytes), () => {
      this.#isWaitingForRoom = false;
      this.#send(bytes);
      this.#go();
    });
  }

  /** Less, when it was destroyed meanwhile. */
  #send(bytes: number): void {
    const sent = this.#due.subarray(0, bytes);
    this.#due = this.#due.subarray(sent.length);
    this.#windowBytes -= sent.length;
    for (let at = 0; at < sent.length; at += this.#way.packetBytes)
      this.#way.send(sent.subarray(at, at + this.#way.packetBytes));
  }

  #settle(error?: Error | null): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }
}
