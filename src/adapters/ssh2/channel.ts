import { PassThrough, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ServerChannel } from 'ssh2';
import type { SignalName } from '../../domain/dyno.js';
import { Departure } from '../../domain/session-end.js';
import type { Verdict } from '../../domain/verdict.js';
import type { ClientChannel } from '../../ports/client-channel.js';
import type { Wire } from './internals.js';
import type { Outflow } from './outflow.js';

const BUFFER_BYTES = 64 * 1024;

/** How long last words wait for a client that does not read. */
const FINISH_TIMEOUT_MS = 5_000;

/** One ssh2 channel as a ClientChannel. */
export class SshChannel implements ClientChannel {
  readonly stdin = new PassThrough({ highWaterMark: BUFFER_BYTES });
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly gone: AbortSignal;
  readonly #channel: ServerChannel;
  readonly #wire: Wire;
  readonly #outflow: Outflow;
  readonly #leave = new AbortController();
  #onSignal: ((name: SignalName) => void) | undefined;
  #finishing: Promise<void> | undefined;

  constructor(channel: ServerChannel, wire: Wire, outflow: Outflow, connectionGone: AbortSignal) {
    this.#channel = channel;
    this.#wire = wire;
    this.#outflow = outflow;
    this.gone = this.#leave.signal;
    const turns = new Turns();
    this.stdout = new ChannelWriter(channel, outflow, turns);
    this.stderr = new ChannelWriter(channel.stderr, outflow, turns);

    const leave = () => {
      this.leave();
    };
    channel.on('close', leave);
    channel.on('error', leave);
    channel.stderr.on('error', leave);
    if (connectionGone.aborted) leave();
    else connectionGone.addEventListener('abort', leave, { once: true, signal: this.gone });
    this.#joinInput();
  }

  heldBytes(): number {
    const channel = this.#channel;
    const input = channel.readableLength + this.stdin.readableLength + this.stdin.writableLength;
    const output = this.stdout.writableLength + this.stderr.writableLength;
    const inside = channel.writableLength + channel.stderr.writableLength;
    return input + output + inside + this.#outflow.queuedBytes();
  }

  onSignal(listener: (name: SignalName) => void): void {
    this.#onSignal = listener;
  }

  /** The client sent a signal. */
  signal(name: SignalName): void {
    this.#onSignal?.(name);
  }

  /** The client, its channel or its connection is gone. */
  leave(): void {
    this.#leave.abort(new Departure('client-left'));
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.destroy();
  }

  finish(verdict: Verdict): Promise<void> {
    this.#finishing ??= this.#finish(verdict);
    return this.#finishing;
  }

  async #finish(verdict: Verdict): Promise<void> {
    this.stdin.destroy();
    if (verdict.words !== '') this.stderr.write(verdict.words);
    const timeout = new AbortController();
    const timer = setTimeout(() => {
      timeout.abort();
    }, FINISH_TIMEOUT_MS);
    try {
      const signal = AbortSignal.any([timeout.signal, this.gone]);
      this.stdout.end();
      this.stderr.end();
      await Promise.all([finished(this.stdout, { signal }), finished(this.stderr, { signal })]);
    } catch {
      // Gone, or not reading: what is left unsaid can't be said.
    } finally {
      clearTimeout(timer);
    }
    if (!this.gone.aborted) this.#wire.finish(this.#channel, verdict.exit);
  }

  /**
   * A buffer of our own between ssh2's channel and whoever reads: destroying it must not close the channel, which
   * still has an exit status to carry. Once it is destroyed the channel's input is read and dropped, because ssh2
   * only closes a channel whose input was consumed.
   */
  #joinInput(): void {
    this.#channel.pipe(this.stdin);
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.on('error', () => undefined);
    this.stdin.on('close', () => {
      this.#channel.unpipe(this.stdin);
      this.#channel.resume();
    });
  }
}

/**
 * Writes to a channel or its standard error, one chunk at a time, each when the connection has room and it is this
 * stream's turn. ssh2 never calls back a write to a closed channel; `leave` destroys the writer then.
 */
class ChannelWriter extends Writable {
  readonly #target: Writable;
  readonly #outflow: Outflow;
  readonly #turns: Turns;

  constructor(target: Writable, outflow: Outflow, turns: Turns) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#target = target;
    this.#outflow = outflow;
    this.#turns = turns;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#turns.take((release) => {
      this.#outflow.whenRoom(() => {
        this.#target.write(chunk, (error) => {
          release();
          done(error);
        });
      });
    });
  }
}

/**
 * One write at a time over both streams of a channel: when both wait for the client's window, ssh2 wakes only one of
 * them (server.js, CHANNEL_WINDOW_ADJUST) and the other would wait for ever.
 */
class Turns {
  #queue: ((release: () => void) => void)[] = [];
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
