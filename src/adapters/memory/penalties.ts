import {
  addPenalty,
  MOST_PENALTIES,
  subjectOf,
  subjectText,
  type Offence,
  type Penalty,
  type PenaltyBounds,
  type PenaltySubject,
} from '../../domain/penalty-policy.js';
import type { Clock } from '../../ports/clock.js';
import type { AddedPenalty, ListedPenalty, Penalties } from '../../ports/penalties.js';
import { Trouble } from './trouble.js';

/** How often what has run off is swept out, where nobody looks. */
const SWEEP_EVERY_MS = 60_000;

/** Penalties within this process. */
export class MemoryPenalties implements Penalties {
  readonly trouble = new Trouble();
  readonly #clock: Pick<Clock, 'now'>;
  readonly #kept: Map<string, Penalty>;
  readonly #most: number;
  #sweptAt: number;

  /** @param kept by `subjectText`; handles may share it. */
  constructor(clock: Pick<Clock, 'now'>, kept: Map<string, Penalty> = new Map(), most = MOST_PENALTIES) {
    this.#clock = clock;
    this.#kept = kept;
    this.#most = most;
    this.#sweptAt = clock.now();
  }

  async add(subject: PenaltySubject, offence: Offence, ms: number, bounds: PenaltyBounds): Promise<AddedPenalty> {
    this.trouble.strike();
    const name = subjectText(subject);
    const before = this.#live(name);
    const penalty = addPenalty(before, offence, ms, bounds, this.#clock.now());
    this.#kept.set(name, penalty);
    if (this.#clock.now() - this.#sweptAt >= SWEEP_EVERY_MS) this.#forget();
    if (this.#kept.size > this.#most) this.#makeRoom();
    return { ...penalty, hasBegun: penalty.isEnforced && before?.isEnforced !== true };
  }

  async of(subject: PenaltySubject): Promise<Penalty | undefined> {
    this.trouble.strike();
    return this.#live(subjectText(subject));
  }

  async list(): Promise<readonly ListedPenalty[]> {
    this.trouble.strike();
    this.#forget();
    const all = [...this.#kept].map(([name, penalty]) => ({ subject: subjectOf(name), ...penalty }));
    return all.sort((one, other) => other.until - one.until);
  }

  async clear(whose: PenaltySubject | 'all'): Promise<number> {
    this.trouble.strike();
    this.#forget();
    const names = whose === 'all' ? [...this.#kept.keys()] : [subjectText(whose)];
    return names.filter((name) => this.#kept.delete(name)).length;
  }

  #live(name: string): Penalty | undefined {
    const penalty = this.#kept.get(name);
    return penalty !== undefined && penalty.until > this.#clock.now() ? penalty : undefined;
  }

  #forget(): void {
    this.#sweptAt = this.#clock.now();
    for (const name of this.#kept.keys()) if (this.#live(name) === undefined) this.#kept.delete(name);
  }

  /** What has run off goes first of all, being over before all others. */
  #makeRoom(): void {
    this.#forget();
    const byEnd = [...this.#kept].sort(([, one], [, other]) => one.until - other.until);
    for (const [name] of byEnd.slice(0, Math.max(0, byEnd.length - this.#most))) this.#kept.delete(name);
  }
}
