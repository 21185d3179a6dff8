import { setTimeout as timer } from 'node:timers/promises';
import type { Clock } from '../../ports/clock.js';

/** The longest a Node timer takes; what is longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return Math.floor(performance.now());
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const options = { ref: false, ...(signal === undefined ? {} : { signal }) };
    try {
      for (let leftMs = ms; leftMs > 0; leftMs -= LONGEST_TIMER_MS) {
        await timer(Math.min(leftMs, LONGEST_TIMER_MS), undefined, options);
      }
    } catch (error) {
      // Node rejects with an AbortError of its own.
      throw signal?.aborted === true ? signal.reason : error;
    }
  }
}
