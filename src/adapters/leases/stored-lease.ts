import { graceWithin, type LeaseTimes } from '../../domain/lock-policy.js';
import { Departure } from '../../domain/session-end.js';
import type { Clock } from '../../ports/clock.js';
import type { Lease } from '../../ports/repository-locks.js';
import type { LockTable } from './lock-table.js';

/** How soon a holder learns that it is to let go, in milliseconds. */
const LOOK_MS = 400;

/** Renews itself until it is released or has run out; one that was recalled is still held until it is released. */
export class StoredLease implements Lease {
  readonly app: string;
  readonly token: number;
  readonly #table: LockTable;
  readonly #clock: Clock;
  readonly #times: LeaseTimes;
  readonly #onReleased: () => void;
  readonly #recall = new AbortController();
  readonly #loss = new AbortController();
  readonly #over = new AbortController();
  #isReleased = false;
  #endsAt = 0;
  #renewAt = 0;

  /** @param askedAt when the lock was asked for, by the clock's `monotonic`: the lease began then or later. */
  constructor(
    lock: { readonly app: string; readonly token: number; readonly askedAt: number },
    table: LockTable,
    clock: Clock,
    times: LeaseTimes,
    onReleased: () => void,
  ) {
    this.app = lock.app;
    this.token = lock.token;
    this.#table = table;
    this.#clock = clock;
    this.#times = times;
    this.#onReleased = onReleased;
    this.#moveOn(lock.askedAt);
    void this.#keep();
    void this.#guard();
  }

  get recalled(): AbortSignal {
    return this.#recall.signal;
  }

  get lost(): AbortSignal {
    return this.#loss.signal;
  }

  graceMs(): number {
    return graceWithin(this.#endsAt - this.#clock.monotonic(), this.#times);
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    // Where it was lost nobody waits: the table may be out of reach, and what it still holds runs out by itself.
    const isLost = this.#over.signal.aborted;
    this.#over.abort();
    const removed = this.#table.remove(this.app, this.token).catch(() => undefined);
    if (!isLost) await removed;
    this.#onReleased();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#over;
    while (await this.#slept(Math.min(LOOK_MS, this.#times.renewEveryMs))) {
      const askedAt = this.#clock.monotonic();
      const isDue = askedAt >= this.#renewAt;
      const standing = await this.#table.check(this.app, this.token, isDue).catch(() => 'unknown' as const);
      if (signal.aborted) return;
      if (standing === 'unknown') continue;
      if (standing === undefined) {
        this.#endsAt = -Infinity;
        return this.#lose();
      }
      if (isDue) this.#moveOn(askedAt);
      if (standing.recall !== undefined) this.#recall.abort(new Departure(standing.recall));
    }
  }

  /** Apart from the asking, which may wait for an answer that does not come. */
  async #guard(): Promise<void> {
    const leftMs = () => this.#endsAt - this.#times.lostBeforeEndMs - this.#clock.monotonic();
    while (await this.#slept(leftMs())) {
      if (leftMs() <= 0) return this.#lose();
    }
  }

  #moveOn(askedAt: number): void {
    this.#endsAt = askedAt + this.#times.leaseMs;
    this.#renewAt = askedAt + this.#times.renewEveryMs;
  }

  #lose(): void {
    this.#over.abort();
    this.#loss.abort(new Departure('lease-lost'));
  }

  /** Whether the lease is still to be kept after a while. */
  async #slept(ms: number): Promise<boolean> {
    const { signal } = this.#over;
    await this.#clock.sleep(ms, signal).catch(() => undefined);
    return !signal.aborted;
  }
}
