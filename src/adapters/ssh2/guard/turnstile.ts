/** A piece that took longer is followed by a rest as long as it took, in which everybody else has the processor. */
const CHEAP_MS = 1;

/**
 * Strangers in turns: what connections send that have not logged in is handled one piece in each turn of the event
 * loop, source after source.
 *
 * A key exchange costs a stranger nothing but a made-up number, and the server milliseconds in which it does nothing
 * else (CVE-2002-20001). So many of them in one turn would hold up everybody; like this they hold up each other, and
 * somebody at another address waits for one piece of theirs at a time.
 */
export class Turnstile {
  /** By source, in the order in which they have their turns. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isTaken = false;

  /** Has a piece handled: at once when nobody else's was in this turn, else when its own turn comes. */
  pass(source: string, handle: () => void): void {
    if (!this.#isTaken) {
      this.#take(handle);
      return;
    }
    const line = this.#waiting.get(source) ?? [];
    this.#waiting.set(source, line);
    line.push(handle);
  }

  #take(handle: () => void): void {
    this.#isTaken = true;
    const since = performance.now();
    try {
      handle();
    } finally {
      const tookMs = performance.now() - since;
      const next = () => {
        this.#next();
      };
      if (tookMs < CHEAP_MS) setImmediate(next);
      else setTimeout(next, tookMs);
    }
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#isTaken = false;
      return;
    }
    const [source, line] = first;
    this.#waiting.delete(source);
    const handle = line.shift();
    // Behind all others, for its next piece.
    if (line.length > 0) this.#waiting.set(source, line);
    if (handle !== undefined) this.#take(handle);
  }
}
