import { Departure } from '../../domain/session-end.js';
import type { Clock } from '../../ports/clock.js';
import type { Lease } from '../../ports/repository-locks.js';
import type { LeaseRows, Taken } from './lease-rows.js';

/** Renews itself at every third of its length, until it is released or lost. */
export class SqliteLease implements Lease {
  readonly app: string;
  readonly token: number;
  readonly #rows: LeaseRows;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #onReleased: () => void;
  readonly #loss = new AbortController();
  readonly #over = new AbortController();
  #expiresAt: number;

  constructor(app: string, taken: Taken, rows: LeaseRows, clock: Clock, onReleased: () => void) {
    this.app = app;
    this.token = taken.token;
    this.#expiresAt = taken.expiresAt;
    this.#rows = rows;
    this.#clock = clock;
    this.#everyMs = Math.max(1, Math.floor((taken.expiresAt - clock.now()) / 3));
    this.#onReleased = onReleased;
    void this.#keep();
  }

  get lost(): AbortSignal {
    return this.#loss.signal;
  }

  async release(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    try {
      this.#rows.remove(this.app, this.token);
    } catch {
      // It is renewed no more, and runs out by itself.
    }
    this.#onReleased();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#over;
    do {
      const remainingMs = Math.max(1, this.#expiresAt - this.#clock.now());
      await this.#clock.sleep(Math.min(this.#everyMs, remainingMs), signal).catch(() => undefined);
      if (signal.aborted) return;
    } while (this.#isRenewed());
    this.#loss.abort(new Departure('lease-lost'));
  }

  /** A database that does not answer is asked again, for as long as the lease lasts. */
  #isRenewed(): boolean {
    try {
      const expiresAt = this.#rows.renew(this.app, this.token);
      if (expiresAt === undefined) return false;
      this.#expiresAt = expiresAt;
      return true;
    } catch {
      return this.#clock.now() < this.#expiresAt;
    }
  }
}
