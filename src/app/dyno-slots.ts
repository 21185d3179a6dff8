import type { AdmissionLimits } from '../domain/admission-policy.js';
import { displacedBy, dynoCounts, nextInLine, type DynoCount, type DynosFull } from '../domain/dyno-queue.js';
import type { Caller } from '../domain/session.js';
import type { Clock } from '../ports/clock.js';
import type { Place, Throttle } from '../ports/throttle.js';
import { DynoWait, type DynoAnswer } from './dyno-wait.js';

export type DynoSlotLimits = Pick<
  AdmissionLimits,
  'dynosPerConnection' | 'dynosPerUser' | 'dynos' | 'dynoQueue' | 'dynoQueueMs'
>;

/**
 * The places for dynos of this machine, and the short queue of those who wait for one.
 *
 * A wait ends by an event: a place given back here, the time, the end of the one who waits, a drain. One attempt is
 * under way at a time, since the throttle may be far away: so each is made for whoever is next in line just then, and
 * none finds a place taken by an attempt of ours that comes to nothing.
 */
export class DynoSlots {
  readonly #throttle: Throttle;
  readonly #limits: () => DynoSlotLimits;
  readonly #clock: Clock;
  /** Those without an answer, in the order of their coming: in the queue, or not tried yet. */
  readonly #waits = new Set<DynoWait>();
  /** How many dynos each user has here. */
  readonly #running = new Map<string, number>();
  /** The counts that were found full since a place was last given back. */
  readonly #full = new Set<string>();
  /** How often a place was given back: whoever was tried before the last time is worth another attempt. */
  #returns = 0;
  #isAdmitting = false;
  #isDraining = false;

  /** @param limits what holds for a request that comes or is tried now. */
  constructor(throttle: Throttle, limits: () => DynoSlotLimits, clock: Clock) {
    this.#throttle = throttle;
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * A place for one dyno of this caller, after a wait in the queue where none is free.
   *
   * @param onWaiting told whose places are all taken, when the wait begins and again whenever that changes.
   * @param signal gives the wait up: rejects with the signal's reason, and nothing stays taken. Once a place is
   *   returned, the signal has no more effect on it.
   * @returns the place, or the refusal `dynos-busy` (the queue is full, or the time is over) or `draining`.
   */
  async take(caller: Caller, onWaiting: (full: DynosFull) => void, signal: AbortSignal): Promise<DynoAnswer> {
    signal.throwIfAborted();
    const wait = new DynoWait(caller, this.#clock, onWaiting);
    const giveUp = () => {
      wait.fail(signal.reason);
    };
    signal.addEventListener('abort', giveUp);
    this.#waits.add(wait);
    void this.#admit();
    try {
      return await wait.answer;
    } finally {
      signal.removeEventListener('abort', giveUp);
      this.#waits.delete(wait);
    }
  }

  /** From now on nobody waits: who does is refused, and so is who would have to. */
  beginDrain(): void {
    this.#isDraining = true;
    for (const wait of this.#queued()) wait.refuseAsDraining();
  }

  /** Gives a place to everybody for whom there is one. */
  async #admit(): Promise<void> {
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#try(next);
    this.#isAdmitting = false;
  }

  #next(): DynoWait | undefined {
    const hopeful = [...this.#waits].filter((wait) => !wait.isAnswered && wait.triedAfter !== this.#returns);
    return nextInLine(hopeful, (user) => this.#running.get(user) ?? 0);
  }

  async #try(wait: DynoWait): Promise<void> {
    const returns = this.#returns;
    try {
      const attempt = await this.#enter(dynoCounts(wait, this.#limits()));
      if ('taken' in attempt) {
        const place = this.#placeOf(wait.user, attempt.taken);
        if (!wait.grant(place)) await place.leave();
        return;
      }
      // A place was given back during the attempt: what was found is not true any more, and it is made again.
      if (returns !== this.#returns) return;
      this.#full.add(nameOf(attempt.full));
      wait.triedAfter = returns;
      this.#putOff(wait, attempt.full);
    } catch (error) {
      wait.fail(error);
    }
  }

  /** Takes a place of each count, or none: then one that is full is named. */
  async #enter(
    counts: readonly DynoCount[],
  ): Promise<{ readonly taken: readonly Place[] } | { readonly full: DynoCount }> {
    const known = counts.find((count) => this.#full.has(nameOf(count)));
    if (known !== undefined) return { full: known };
    const entered: Place[] = [];
    try {
      for (const count of counts) {
        const place = await this.#throttle.enter(count.counted, count.key, count.limit);
        if (place === undefined) return { full: count };
        entered.push(place);
      }
      return { taken: entered.splice(0) };
    } finally {
      await leaveAll(entered);
    }
  }

  #placeOf(user: string, taken: readonly Place[]): Place {
    this.#running.set(user, (this.#running.get(user) ?? 0) + 1);
    let left: Promise<void> | undefined;
    return { leave: () => (left ??= this.#giveBack(user, taken)) };
  }

  async #giveBack(user: string, taken: readonly Place[]): Promise<void> {
    await leaveAll(taken);
    const running = (this.#running.get(user) ?? 0) - 1;
    if (running > 0) this.#running.set(user, running);
    else this.#running.delete(user);
    this.#full.clear();
    this.#returns += 1;
    void this.#admit();
  }

  /** Whoever found no place waits on, or begins to, where the queue has room for them. */
  #putOff(wait: DynoWait, full: DynosFull): void {
    if (wait.isAnswered) return;
    if (wait.isQueued) wait.waitOn(full);
    else if (this.#isDraining) wait.refuseAsDraining();
    else if (this.#makeRoom(wait)) wait.queue(full, this.#limits().dynoQueueMs);
    else wait.refuse(full);
  }

  /** Whether there is room in the queue, maybe because somebody had to leave it. */
  #makeRoom(newcomer: DynoWait): boolean {
    if (this.#limits().dynoQueueMs === 0) return false;
    const queued = this.#queued();
    if (queued.length < this.#limits().dynoQueue) return true;
    const displaced = displacedBy(newcomer, queued);
    displaced?.refuseQueued();
    return displaced !== undefined;
  }

  #queued(): readonly DynoWait[] {
    return [...this.#waits].filter(({ isQueued }) => isQueued);
  }
}

function nameOf({ counted, key }: DynoCount): string {
  return `${counted} ${key}`;
}

async function leaveAll(places: readonly Place[]): Promise<void> {
  await Promise.all(places.map((place) => place.leave()));
}
