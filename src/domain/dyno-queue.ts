/** Dynos are few: what each of them counts for, and whose turn it is when none is free. */
import { EVERYBODY, type AdmissionLimits, type Counted } from './admission-policy.js';

/** Whose places are all taken. */
export type DynoScope = 'connection' | 'user' | 'server';

/** Why there is no dyno to be had: so many run already. */
export interface DynosFull {
  readonly full: DynoScope;
  readonly limit: number;
}

/** One request for a dyno, by name of its user and id of its connection. */
export interface DynoAsker {
  readonly user: string;
  readonly connection: string;
}

export interface DynoCount extends DynosFull {
  readonly counted: Counted;
  readonly key: string;
}

/** What a dyno counts for: the narrowest first, so that whoever is put off is told what they can change themselves. */
export function dynoCounts(
  asker: DynoAsker,
  limits: Pick<AdmissionLimits, 'dynosPerConnection' | 'dynosPerUser' | 'dynos'>,
): readonly DynoCount[] {
  return [
    {
      full: 'connection',
      counted: 'dynos-of-connection',
      key: asker.connection,
      limit: limits.dynosPerConnection,
    },
    { full: 'user', counted: 'dynos-of-user', key: asker.user, limit: limits.dynosPerUser },
    { full: 'server', counted: 'dynos', key: EVERYBODY, limit: limits.dynos },
  ];
}

/**
 * Whose turn it is: the user with the fewest dynos goes first, and among equals, and within one user, whoever came
 * first. So one who asks for many at once waits for their own, and not everybody else for them.
 *
 * @param asking in the order of their coming.
 * @param running how many dynos a user has.
 */
export function nextInLine<Asker extends DynoAsker>(
  asking: readonly Asker[],
  running: (user: string) => number,
): Asker | undefined {
  return asking.reduce<Asker | undefined>(
    (next, asker) => (next === undefined || running(asker.user) < running(next.user) ? asker : next),
    undefined,
  );
}

/**
 * Who gives up their place in a full queue for a newcomer: the last of the user who has the most in it, if that user
 * still has as many as the newcomer's afterwards. So nobody keeps others out by filling the queue alone.
 *
 * @param queued in the order of their coming.
 */
export function displacedBy<Asker extends DynoAsker>(newcomer: DynoAsker, queued: readonly Asker[]): Asker | undefined {
  const placesOf = (user: string) => queued.filter((asker) => asker.user === user).length;
  const last = queued.reduce<Asker | undefined>(
    (most, asker) => (most === undefined || placesOf(asker.user) >= placesOf(most.user) ? asker : most),
    undefined,
  );
  return last !== undefined && placesOf(last.user) - 1 > placesOf(newcomer.user) ? last : undefined;
}
