import { decideUnauthenticated, EVERYBODY, type AdmissionLimits } from '../../../domain/admission-policy.js';
import { sourceOf } from '../../../domain/address.js';
import type { TurnedAway } from '../../../domain/words/turned-away.js';
import type { Place, Throttle } from '../../../ports/throttle.js';
import type { TurnAway } from './turn-away.js';

/**
 * How long a connection waits for a place of its source while nobody of that source logs in: each log-in gives those who
 * wait the same time anew, so that a crowd of honest clients gets through however slow the machine is.
 */
const PATIENCE_MS = 5_000;

/** A connection that was let in. */
export interface Admission {
  /** It has logged in, and is no stranger any more. Idempotent. */
  loggedIn(): void;
  /** It is closed. Idempotent. */
  leave(): void;
}

/** Lets connections in, before a byte of theirs is read, as the domain's policy says (OpenSSH's MaxStartups). */
export class Doorkeeper {
  /** What the next connections are admitted by. */
  limits: AdmissionLimits;
  readonly #throttle: Throttle;
  readonly #random: () => number;
  /** Those who have not logged in, by source. */
  readonly #strangers = new Map<string, Set<Stranger>>();
  /** Those who wait for a place of their source, first come first served. */
  readonly #waiting = new Map<string, Wait[]>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(throttle: Throttle, limits: AdmissionLimits, random: () => number = Math.random) {
    this.#throttle = throttle;
    this.limits = limits;
    this.#random = random;
  }

  /**
   * Takes a place for a connection of which nobody knows yet whose it is.
   * @returns undefined where there are as many as may be.
   */
  hold(): Promise<Place | undefined> {
    return this.#throttle.enter('connections', EVERYBODY, this.limits.connections);
  }

  /**
   * @param held the place it has, where one was taken; given back with the admission, or at once.
   * @param turnAway ends this connection when its source takes more than its share, and chance hits it.
   * @returns why not, when it is not let in.
   * @throws what the throttle throws; nothing stays taken then.
   */
  async admit(address: string, turnAway: TurnAway, held?: Place): Promise<Admission | TurnedAway> {
    const place = held ?? (await this.hold());
    if (place === undefined) return 'too-many-connections';
    const source = sourceOf(address);
    let stranger: Stranger | undefined;
    try {
      stranger = await this.#enter(source, turnAway);
    } finally {
      if (stranger === undefined) void place.leave();
    }
    return stranger === undefined ? 'too-many-strangers' : this.#admission(source, stranger, place);
  }

  #admission(source: string, stranger: Stranger, place: Place): Admission {
    return {
      loggedIn: () => {
        stranger.leave();
        for (const wait of this.#waiting.get(source) ?? []) wait.renew();
      },
      leave: () => {
        stranger.leave();
        void place.leave();
      },
    };
  }

  async #enter(source: string, turnAway: TurnAway): Promise<Stranger | undefined> {
    let mayWait = true;
    for (;;) {
      const answer = await this.#inTurn(() => this.#decide(source, turnAway, mayWait));
      if (!(answer instanceof Wait)) return answer;
      mayWait = await answer.isOneGone;
    }
  }

  /** Between the counting and the taking of a place nobody else may take it: a crowd comes in one moment. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #decide(source: string, turnAway: TurnAway, mayWait: boolean): Promise<Stranger | Wait | undefined> {
    const now = {
      total: await this.#throttle.count('unauthenticated', EVERYBODY),
      ofSource: await this.#throttle.count('unauthenticated-of-source', source),
    };
    const decision = decideUnauthenticated(now, this.limits, this.#random());
    if (decision === 'refuse') return undefined;
    if (decision === 'replace') {
      if (mayWait && this.#hasRoomInLine(source)) return this.#wait(source);
      if (!this.#sendOneAway(source)) return undefined;
    }
    return this.#take(source, turnAway);
  }

  async #take(source: string, turnAway: TurnAway): Promise<Stranger | undefined> {
    const { unauthenticated, unauthenticatedPerSource } = this.limits;
    const ofAll = await this.#throttle.enter('unauthenticated', EVERYBODY, unauthenticated);
    if (ofAll === undefined) return undefined;
    let ofSource: Place | undefined;
    try {
      ofSource = await this.#throttle.enter('unauthenticated-of-source', source, unauthenticatedPerSource);
    } finally {
      if (ofSource === undefined) void ofAll.leave();
    }
    return ofSource === undefined ? undefined : this.#begin(source, [ofAll, ofSource], turnAway);
  }

  #begin(source: string, places: readonly Place[], turnAway: TurnAway): Stranger {
    const strangers = this.#strangers.get(source) ?? new Set();
    this.#strangers.set(source, strangers);
    const stranger = new Stranger(places, turnAway, (isByItself) => {
      strangers.delete(stranger);
      if (strangers.size === 0) this.#strangers.delete(source);
      // The place of one that was sent away is taken already.
      if (isByItself) this.#waiting.get(source)?.[0]?.end(true);
    });
    strangers.add(stranger);
    return stranger;
  }

  /** Whom it hits is chance, the newcomer not excepted. @returns whether the newcomer may stay. */
  #sendOneAway(source: string): boolean {
    const strangers = [...(this.#strangers.get(source) ?? [])];
    const hit = strangers[Math.floor(this.#random() * (strangers.length + 1))];
    hit?.sendAway();
    return hit !== undefined;
  }

  /** As many wait as have a place. */
  #hasRoomInLine(source: string): boolean {
    return (this.#waiting.get(source)?.length ?? 0) < this.limits.unauthenticatedPerSource;
  }

  #wait(source: string): Wait {
    const line = this.#waiting.get(source) ?? [];
    this.#waiting.set(source, line);
    const wait = new Wait(() => {
      line.splice(line.indexOf(wait), 1);
      if (line.length === 0) this.#waiting.delete(source);
    });
    line.push(wait);
    return wait;
  }
}

/** Standing in line, for as long as patience lasts. */
class Wait {
  /** Whether it ended because a place became free. */
  readonly isOneGone: Promise<boolean>;
  readonly #timer: NodeJS.Timeout;
  readonly #leaveLine: () => void;
  #settle: (isOneGone: boolean) => void = () => undefined;

  constructor(leaveLine: () => void) {
    this.#leaveLine = leaveLine;
    this.isOneGone = new Promise((resolve) => (this.#settle = resolve));
    this.#timer = setTimeout(() => {
      this.end(false);
    }, PATIENCE_MS).unref();
  }

  renew(): void {
    this.#timer.refresh();
  }

  end(isOneGone: boolean): void {
    clearTimeout(this.#timer);
    this.#leaveLine();
    this.#settle(isOneGone);
  }
}

class Stranger {
  readonly #places: readonly Place[];
  readonly #turnAway: TurnAway;
  readonly #left: (isByItself: boolean) => void;
  #isHere = true;

  constructor(places: readonly Place[], turnAway: TurnAway, left: (isByItself: boolean) => void) {
    this.#places = places;
    this.#turnAway = turnAway;
    this.#left = left;
  }

  leave(isByItself = true): void {
    if (!this.#isHere) return;
    this.#isHere = false;
    for (const place of this.#places) void place.leave();
    this.#left(isByItself);
  }

  sendAway(): void {
    this.leave(false);
    this.#turnAway('too-many-strangers');
  }
}
