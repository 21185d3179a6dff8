import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { isClientSignal, type SignalName } from '../../domain/dyno.js';
import { Departure } from '../../domain/session-end.js';
import type { Verdict } from '../../domain/verdict.js';
import type { ClientChannel } from '../../ports/client-channel.js';
import { heldBytes, pipe } from './pipe.js';

/** The client's own view of its channel. */
export interface MemoryClient {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** How it came out, told once all output was read; undefined when the client left before. */
  readonly exit: Promise<Verdict['exit'] | undefined>;
  signal(name: string): void;
  /** Hangs up. */
  leave(): void;
}

/** A client without a network. */
export class MemoryClientChannel implements ClientChannel {
  readonly #in = pipe();
  readonly #out = pipe();
  readonly #err = pipe();
  readonly stdin = this.#in.readable;
  readonly stdout = this.#out.writable;
  readonly stderr = this.#err.writable;

  readonly #gone = new AbortController();
  readonly gone: AbortSignal = this.#gone.signal;
  #onSignal: (name: SignalName) => void = () => undefined;
  #tell: (exit: Verdict['exit'] | undefined) => void = () => undefined;
  #finished: Promise<void> | undefined;

  readonly client: MemoryClient = {
    stdin: this.#in.writable,
    stdout: this.#out.readable,
    stderr: this.#err.readable,
    exit: new Promise((resolve) => (this.#tell = resolve)),
    signal: (name) => {
      if (isClientSignal(name)) this.#onSignal(name);
    },
    leave: () => this.#leave(),
  };

  heldBytes(): number {
    return heldBytes(this.#out) + heldBytes(this.#err) + heldBytes(this.#in);
  }

  onSignal(listener: (name: SignalName) => void): void {
    this.#onSignal = listener;
  }

  finish(verdict: Verdict): Promise<void> {
    this.#finished ??= this.#finish(verdict);
    return this.#finished;
  }

  async #finish({ words, exit }: Verdict): Promise<void> {
    this.stdout.end();
    this.stderr.end(words);
    const read = [this.client.stdout, this.client.stderr].map((stream) => finished(stream));
    Promise.all(read).then(
      () => this.#tell(exit),
      () => this.#tell(undefined),
    );
    await Promise.allSettled([this.stdout, this.stderr].map((stream) => finished(stream)));
  }

  #leave(): void {
    this.#tell(undefined);
    this.#gone.abort(new Departure('client-left'));
    for (const { readable } of [this.#in, this.#out, this.#err]) readable.destroy();
  }
}
