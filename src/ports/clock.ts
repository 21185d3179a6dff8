/** Time, so that no test sleeps. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Resolves after `ms` milliseconds. Rejects with the signal's reason when it aborts first, leaving no timer behind.
   * Does not keep the process alive by itself.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
