import { Fault } from '../domain/fault.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import { faultFacts } from './session-record.js';

/** So long an answer is waited for. */
const PATIENCE_MS = 250;
/** Without one, nobody asks for so long. */
const PAUSE_MS = 1_000;
/** An outage is told of so often. */
const TELL_EVERY_MS = 60_000;

/**
 * Asks a shared state for what is good to know and must keep nobody out: where it is away, or slow, one goes on without
 * the answer, after a moment at most.
 */
export class LenientState {
  readonly #clock: Clock;
  readonly #observer: Observer;
  #awayUntil = -Infinity;
  #toldAt = -Infinity;

  constructor(clock: Clock, observer: Observer) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Never rejects. @returns undefined where there is no answer. */
  async ask<T>(ask: () => Promise<T>): Promise<T | undefined> {
    if (this.#clock.monotonic() < this.#awayUntil) return undefined;
    const isAnswered = new AbortController();
    try {
      return await Promise.race([ask(), this.#late(isAnswered.signal)]);
    } catch (error) {
      this.#isAway(error);
      return undefined;
    } finally {
      isAnswered.abort();
    }
  }

  async #late(isAnswered: AbortSignal): Promise<never> {
    await this.#clock.sleep(PATIENCE_MS, isAnswered);
    throw new Fault('GM_TIMEOUT', 'identify', 'The state that gitmouths share did not answer in time.');
  }

  #isAway(error: unknown): void {
    const now = this.#clock.monotonic();
    this.#awayUntil = now + PAUSE_MS;
    if (now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    this.#observer.record({ type: 'fault', fault: faultFacts(error) });
  }
}
