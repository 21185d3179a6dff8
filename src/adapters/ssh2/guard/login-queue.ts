/** More requests than this at once are a client that wants something else. */
const MAX_WAITING = 10;

/**
 * Handles the log-in requests of one connection one after the other, in their order (RFC 4252 5.1 lets a client send
 * the next without waiting for an answer).
 *
 * ssh2 keeps those that come while one is being decided on a stack, and forgets them when the answer is "this key
 * would do".
 */
export class LoginQueue {
  readonly #overflow: () => void;
  readonly #waiting: (() => void)[] = [];
  #isDeciding = false;

  constructor(overflow: () => void) {
    this.#overflow = overflow;
  }

  /** Has the request handled now, or once those before it were decided. */
  add(handle: () => void): void {
    if (!this.#isDeciding) handle();
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(handle);
    else this.#overflow();
  }

  /** A request is being decided until this settles. */
  async decide(decision: Promise<void>): Promise<void> {
    this.#isDeciding = true;
    await decision;
    this.#isDeciding = false;
    // Handling one may begin the next decision at once, or need none (a request that ssh2 refuses by itself).
    while (!this.#isDeciding) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }
}
