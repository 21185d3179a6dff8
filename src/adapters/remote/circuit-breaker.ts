import type { Clock } from '../../ports/clock.js';

export interface BreakerLimits {
  /** So many failures in a row open it. */
  readonly failures: number;
  /** For how long it then keeps calls away; after each such time one may try. */
  readonly restMs: number;
}

/** Keeps calls away from a peer that is down: sessions fail at once, and the peer is left in peace to come back. */
export class CircuitBreaker {
  readonly #limits: BreakerLimits;
  readonly #clock: Clock;
  #failures = 0;
  #closedAgainAt = 0;

  constructor(limits: BreakerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Whether a call may be made. The one that is let through after a rest begins the next rest for all others. */
  mayTry(): boolean {
    if (this.#failures < this.#limits.failures) return true;
    if (this.#clock.now() < this.#closedAgainAt) return false;
    this.#rest();
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(): void {
    this.#failures += 1;
    if (this.#failures >= this.#limits.failures) this.#rest();
  }

  #rest(): void {
    this.#closedAgainAt = this.#clock.now() + this.#limits.restMs;
  }
}
