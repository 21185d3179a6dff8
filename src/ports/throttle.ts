import type { Counted } from '../domain/admission-policy.js';

/** Counts what the admission policy limits. How many are allowed is the caller's to say, from the domain's limits. */
export interface Throttle {
  /**
   * Takes a place in one step with the counting, so that no two take the last one.
   *
   * @param key whose places they are: a source, a user, a connection; a constant where there is one count for all.
   * @param limit how many places this key has.
   * @returns undefined when all are taken.
   */
  enter(counted: Counted, key: string, limit: number): Promise<Place | undefined>;

  /** How many places are taken. */
  count(counted: Counted, key: string): Promise<number>;
}

export interface Place {
  /** Gives the place back. Idempotent; never rejects. */
  leave(): Promise<void>;
}
