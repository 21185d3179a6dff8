import { PassThrough, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ServerChannel } from 'ssh2';
import type { SignalName } from '../../domain/dyno.js';
import { Departure } from '../../domain/session-end.js';
import type { Verdict } from '../../domain/verdict.js';
import type { ClientChannel } from '../../ports/client-channel.js';
import { ChannelWriter, Turns } from './channel-writer.js';
import { boundUnread, type ServerWire } from './internals.js';
import type { Outflow } from './outflow.js';

const BUFFER_BYTES = 64 * 1024;

/** How long last words wait for a client that does not read. */
const FINISH_TIMEOUT_MS = 5_000;

/** One ssh2 channel as a ClientChannel. */
export class SshChannel implements ClientChannel {
  readonly stdin: PassThrough;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly gone: AbortSignal;
  readonly #channel: ServerChannel;
  readonly #wire: ServerWire;
  readonly #outflow: Outflow;
  readonly #leave = new AbortController();
  #onSignal: ((name: SignalName) => void) | undefined;
  #finishing: Promise<void> | undefined;

  constructor(channel: ServerChannel, wire: ServerWire, outflow: Outflow, connectionGone: AbortSignal) {
    this.#channel = channel;
    this.#wire = wire;
    this.#outflow = outflow;
    this.gone = this.#leave.signal;
    this.stdin = new Input(() => {
      wire.openWindow(channel);
    });
    boundUnread(channel, BUFFER_BYTES);
    const turns = new Turns();
    this.stdout = new ChannelWriter(channel, channel, outflow, turns);
    this.stderr = new ChannelWriter(channel, channel.stderr, outflow, turns);

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
    const signal = AbortSignal.any([timeout.signal, this.gone]);
    this.stdout.end();
    this.stderr.end();
    // Whatever fails here: the client is gone or does not read, and what is left unsaid can't be said.
    await Promise.allSettled([finished(this.stdout, { signal }), finished(this.stderr, { signal })]);
    clearTimeout(timer);
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

/** What the client sends, with word of the first time that somebody asks for it. */
class Input extends PassThrough {
  #onFirstRead: (() => void) | undefined;

  constructor(onFirstRead: () => void) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#onFirstRead = onFirstRead;
  }

  override read(size?: number): unknown {
    // Node itself reads 0 bytes, to have more come in, whether anybody is there or not.
    if (size !== 0) {
      const tell = this.#onFirstRead;
      this.#onFirstRead = undefined;
      tell?.();
    }
    return super.read(size);
  }
}
