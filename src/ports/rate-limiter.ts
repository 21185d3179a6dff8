/** Counts what happens within a time, for all gitmouths that share a state. */
export interface RateLimiter {
  /**
   * Counts one more of a key, also when it is one too many. The time begins with the first that is counted.
   *
   * @param limit how many there may be.
   * @param perMs within how many milliseconds: whole seconds. One key is always asked for with the same time.
   * @returns undefined when this one may be, or in how many milliseconds the next may.
   * @throws Fault (stage `authorize`) when the state is away.
   */
  spend(key: string, limit: number, perMs: number): Promise<number | undefined>;
}
