import type { Clock } from '../../ports/clock.js';

/** A clock that stands until it is told to move. */
export class MemoryClock implements Clock {
  #now: number;
  #passed = 0;
  readonly #sleepers = new Set<{ readonly due: number; wake(): void }>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#passed;
  }

  /** Sets the time of day, as an operator does; nobody wakes earlier or later for it. */
  set(now: number): void {
    this.#now = now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const sleeper = { due: this.#passed + Math.max(0, ms), wake: () => end(resolve) };
      const giveUp = () => end(() => reject(signal?.reason));
      const end = (settle: () => void) => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', giveUp);
        settle();
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', giveUp);
    });
  }

  /** How many sleep: 0 when everybody has cleaned up. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /**
   * Lets time pass, waking those who sleep in the order they are due; each may act, and sleep again, before the next.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#passed + ms;
    await everybodyActed();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#moveTo(next.due);
      next.wake();
      await everybodyActed();
    }
    this.#moveTo(until);
  }

  #moveTo(moment: number): void {
    const ms = Math.max(0, moment - this.#passed);
    this.#passed += ms;
    this.#now += ms;
  }

  /** Of those due by then the first; among equals the one who fell asleep first. */
  #next(until: number) {
    const due = [...this.#sleepers].filter((sleeper) => sleeper.due <= until);
    return due.reduce<(typeof due)[number] | undefined>(
      (a, b) => (a === undefined || b.due < a.due ? b : a),
      undefined,
    );
  }
}

function everybodyActed(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
