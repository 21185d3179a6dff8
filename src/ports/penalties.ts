import type { Offence, Penalty, PenaltyBounds, PenaltySubject } from '../domain/penalty-policy.js';

/**
 * What is held against addresses, users and keys, for all gitmouths that share a state. Penalties are forgotten once they
 * have run off; where there are more than `MOST_PENALTIES`, those nearest to that go first.
 *
 * Every call rejects with a Fault (stage `identify`) when the state is away. None can be given up: whoever can't wait
 * goes on without the answer.
 */
export interface Penalties {
  /**
   * Adds to what is held against a subject, in one step for all that do so at once, by the arithmetic of `addPenalty`.
   *
   * @param ms what the offence costs, in whole milliseconds.
   */
  add(subject: PenaltySubject, offence: Offence, ms: number, bounds: PenaltyBounds): Promise<AddedPenalty>;

  /** What is held against a subject, enforced or not yet; undefined when there is nothing, or it has run off. */
  of(subject: PenaltySubject): Promise<Penalty | undefined>;

  /** Everything that has not run off, the longest first. */
  list(): Promise<readonly ListedPenalty[]>;

  /** Forgets what is held against one subject, or everybody. @returns of how many something was forgotten. */
  clear(whose: PenaltySubject | 'all'): Promise<number>;
}

export interface AddedPenalty extends Penalty {
  /** Whether it is enforced from this offence on, and was not before. */
  readonly hasBegun: boolean;
}

export interface ListedPenalty extends Penalty {
  readonly subject: PenaltySubject;
}
