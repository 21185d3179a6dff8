/** Time, so that no test sleeps. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Whole milliseconds since some moment, for spans of time: never set, neither back nor forward. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds. Rejects with the signal's reason when it aborts first, leaving no timer behind.
   * Does not keep the process alive by itself.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
