import type { DynoAsker, DynosFull } from '../domain/dyno-queue.js';
import type { Refusal } from '../domain/refusal.js';
import type { Caller } from '../domain/session.js';
import type { Clock } from '../ports/clock.js';
import type { Place } from '../ports/throttle.js';

export type DynoAnswer = Place | Extract<Refusal, { kind: 'dynos-busy' | 'draining' }>;

/** One request for a dyno, from the asking to the answer. The first answer counts, and no later one. */
export class DynoWait implements DynoAsker {
  readonly user: string;
  readonly connection: string;
  readonly answer: Promise<DynoAnswer>;
  /** After how many returns of places it was last tried. */
  triedAfter = -1;
  readonly #clock: Clock;
  readonly #onWaiting: (full: DynosFull) => void;
  /** Aborts with the answer, and ends all that goes on for its sake. */
  readonly #answered = new AbortController();
  #resolve: (answer: DynoAnswer) => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;
  #queued: { readonly since: number; full: DynosFull } | undefined;

  constructor(caller: Caller, clock: Clock, onWaiting: (full: DynosFull) => void) {
    this.user = caller.user.name;
    this.connection = caller.connection.id;
    this.#clock = clock;
    this.#onWaiting = onWaiting;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isQueued(): boolean {
    return this.#queued !== undefined && !this.isAnswered;
  }

  get isAnswered(): boolean {
    return this.#answered.signal.aborted;
  }

  /** Takes its place in the queue, for so long at most. */
  queue(full: DynosFull, limitMs: number): void {
    this.#queued = { since: this.#clock.now(), full };
    this.#clock.sleep(limitMs, this.#answered.signal).then(
      () => {
        this.refuseQueued();
      },
      () => undefined,
    );
    this.#onWaiting(full);
  }

  /** Waits on, maybe for something else than before. */
  waitOn(full: DynosFull): void {
    if (this.#queued === undefined || this.#queued.full.full === full.full) return;
    this.#queued.full = full;
    this.#onWaiting(full);
  }

  /** @returns whether the place was wanted still. */
  grant(place: Place): boolean {
    return this.#end(() => {
      this.#resolve(place);
    });
  }

  /** Without a wait. */
  refuse({ full, limit }: DynosFull): void {
    this.#end(() => {
      this.#resolve({ kind: 'dynos-busy', full, limit, waitedMs: 0 });
    });
  }

  /** After the wait in the queue. */
  refuseQueued(): void {
    if (this.#queued === undefined) return;
    const { full, limit } = this.#queued.full;
    const waitedMs = this.#clock.now() - this.#queued.since;
    this.#end(() => {
      this.#resolve({ kind: 'dynos-busy', full, limit, waitedMs });
    });
  }

  refuseAsDraining(): void {
    this.#end(() => {
      this.#resolve({ kind: 'draining' });
    });
  }

  fail(reason: unknown): void {
    this.#end(() => {
      this.#reject(reason);
    });
  }

  #end(settle: () => void): boolean {
    if (this.isAnswered) return false;
    this.#answered.abort();
    settle();
    return true;
  }
}
