/** Trouble on demand: answers that fail and answers that never come, so that every way of failing can be walked. */
export class Trouble {
  #error: Error | undefined;
  #stalled = false;

  /** From now on every call fails with this error. */
  failWith(error: Error): void {
    this.#error = error;
  }

  /** From now on no call answers until it is given up. */
  stall(): void {
    this.#stalled = true;
  }

  clear(): void {
    this.#error = undefined;
    this.#stalled = false;
  }

  /** What every call that can be given up goes through first. */
  async meet(signal: AbortSignal): Promise<void> {
    // A turn later: whoever gives up in the moment of asking has given up.
    await Promise.resolve();
    signal.throwIfAborted();
    if (this.#error !== undefined) throw this.#error;
    if (this.#stalled) await abortOf(signal);
  }

  /** The same for a call that cannot be given up. */
  strike(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
