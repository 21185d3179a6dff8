/** More requests than this at once are a client that wants something else. */
const MAX_WAITING = 10;

/**
 * Handles the log-in requests of one connection one after the other, in their order (RFC 4252 5.1 lets a client send
 * the next without waiting for an answer).
 *
 * ssh2 keeps those that come while one is being decided on a stack, and forgets them when the answer is "this key
 * would do". Each is begun in a turn of the client's own, since reading a key and its certificate may take milliseconds.
 */
export class LoginQueue {
  readonly #overflow: () => void;
  readonly #inTurn: (handle: () => void) => void;
  readonly #waiting: (() => void)[] = [];
  #isDeciding = false;

  /** @param inTurn calls back when it is the client's turn, at once or later. */
  constructor(overflow: () => void, inTurn: (handle: () => void) => void) {
    this.#overflow = overflow;
    this.#inTurn = inTurn;
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
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#begin(next);
      // It has begun the next decision; one that ssh2 refuses by itself needs none.
      if (this.#isDeciding) return;
      this.#isDeciding = true;
    }
    this.#isDeciding = false;
  }

  #begin(handle: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#inTurn(() => {
        this.#isDeciding = false;
        handle();
        resolve();
      });
    });
  }
}
