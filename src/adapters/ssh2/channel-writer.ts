import { Writable } from 'node:stream';
import type { ServerChannel } from 'ssh2';
import { forgetWritten, packetSizeOf } from './internals.js';
import { PACKETS_PER_TURN, type Outflow } from './outflow.js';

const BUFFER_BYTES = 64 * 1024;

type Done = (error?: Error | null) => void;

/**
 * Writes to a channel or its standard error, one chunk at a time, each when the connection has room and it is this
 * stream's turn. ssh2 never calls back a write to a closed channel: whoever owns the writer destroys it then.
 */
export class ChannelWriter extends Writable {
  readonly #channel: ServerChannel;
  readonly #target: Writable;
  readonly #outflow: Outflow;
  readonly #turns: Turns;
  /** What waits for its turn and for room. */
  #due: Buffer | undefined;
  #done: Done | undefined;

  constructor(channel: ServerChannel, target: Writable, outflow: Outflow, turns: Turns) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#channel = channel;
    this.#target = target;
    this.#outflow = outflow;
    this.#turns = turns;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#due = chunk;
    this.#done = done;
    this.#turns.take((release) => {
      this.#writeNext(release);
    });
  }

  /** Whoever waits for the write is freed, and what waits for room is not held until there is some. */
  override _destroy(error: Error | null, destroyed: Done): void {
    this.#due = undefined;
    this.#settle(new Error('the client is gone'));
    destroyed(error);
  }

  #writeNext(release: () => void): void {
    const packetBytes = packetSizeOf(this.#channel);
    const bytes = Math.min(this.#due?.length ?? 0, PACKETS_PER_TURN * packetBytes);
    this.#outflow.whenRoom(Math.ceil(bytes / packetBytes), () => {
      this.#write(bytes, release);
    });
  }

  #write(bytes: number, release: () => void): void {
    const chunk = this.#due;
    if (chunk === undefined) {
      release();
      return;
    }
    this.#due = bytes < chunk.length ? chunk.subarray(bytes) : undefined;
    this.#target.write(chunk.subarray(0, bytes), (error) => {
      forgetWritten(this.#channel);
      if (this.#due !== undefined && (error === undefined || error === null)) {
        this.#writeNext(release);
        return;
      }
      release();
      this.#settle(error);
    });
  }

  #settle(error?: Error | null): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }
}

/**
 * One write at a time over both streams of a channel: when both wait for the client's window, ssh2 wakes only one of
 * them (server.js, CHANNEL_WINDOW_ADJUST) and the other would wait for ever.
 */
export class Turns {
  readonly #queue: ((release: () => void) => void)[] = [];
  #taken = false;

  take(task: (release: () => void) => void): void {
    if (this.#taken) {
      this.#queue.push(task);
      return;
    }
    this.#taken = true;
    task(() => {
      this.#taken = false;
      const next = this.#queue.shift();
      if (next !== undefined) this.take(next);
    });
  }
}
