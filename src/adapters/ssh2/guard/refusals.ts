import type { TurnedAway } from '../../../domain/words/turned-away.js';
import type { Observer } from '../../../ports/observer.js';

/** A flood writes one line in this time, and not one for each of its connections. */
const SUMMARY_EVERY_MS = 10_000;

/** Tells of connections that were not let in: of the first at once, then of how many more there were. */
export class Refusals {
  readonly #observer: Observer;
  readonly #counts = new Map<TurnedAway, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  add(reason: TurnedAway, address: string): void {
    if (this.#timer === undefined) this.#observer.record({ type: 'connections-refused', reason, count: 1, address });
    else this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    this.#timer ??= setTimeout(() => {
      this.#summarise();
    }, SUMMARY_EVERY_MS).unref();
  }

  #summarise(): void {
    this.#timer = undefined;
    for (const [reason, count] of this.#counts) this.#observer.record({ type: 'connections-refused', reason, count });
    this.#counts.clear();
  }
}
