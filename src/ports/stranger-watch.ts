import type { Penalty, StrangersConduct } from '../domain/penalty-policy.js';

/** A driving port: what a front end asks and tells of connections that nobody has logged in over. */
export interface StrangerWatch {
  /**
   * What is held against an address, enforced or not yet; undefined also where that can't be known now. Never rejects,
   * and answers in a moment.
   */
  of(address: string): Promise<Penalty | undefined>;

  /**
   * Tells how a connection has behaved that ends, or is ended, without a log-in. Returns at once and never throws.
   *
   * @param known what `of` said when it began.
   * @returns what is held against the address with this, as far as can be told from `known`.
   */
  ended(address: string, conduct: StrangersConduct, known: Penalty | undefined): Penalty | undefined;
}
