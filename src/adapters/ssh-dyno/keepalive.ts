export interface KeepaliveLimits {
  readonly keepaliveMs: number;
  /** So many in a row without a sign of life, and the dyno is gone. */
  readonly keepaliveMisses: number;
}

/** Asks a silent dyno whether it is still there. */
export class Keepalive {
  readonly #timer: NodeJS.Timeout;
  #misses = 0;

  constructor({ keepaliveMs, keepaliveMisses }: KeepaliveLimits, ask: () => void, gone: () => void) {
    this.#timer = setInterval(() => {
      if (this.#misses >= keepaliveMisses) {
        this.stop();
        gone();
        return;
      }
      this.#misses += 1;
      ask();
    }, keepaliveMs);
  }

  /** Something came. */
  heard(): void {
    this.#misses = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
