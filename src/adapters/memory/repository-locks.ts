import type { LockHolder, LockMode } from '../../domain/lock-policy.js';
import type { Refusal } from '../../domain/refusal.js';
import { Departure } from '../../domain/session-end.js';
import type { Clock } from '../../ports/clock.js';
import type { Lease, RepositoryLocks } from '../../ports/repository-locks.js';
import { Trouble } from './trouble.js';

/** Those who wait for one app, in their order, and who holds it. */
interface Queue {
  held: MemoryLease | undefined;
  lastToken: number;
  readonly waiting: Waiter[];
}

interface Waiter {
  readonly holder: LockHolder;
  grant(lease: Lease): void;
  onWaiting(holder: LockHolder): void;
}

/** What locks in several handles share, as processes share a database. */
export type MemoryLockState = Map<string, Queue>;

export class MemoryRepositoryLocks implements RepositoryLocks {
  readonly trouble = new Trouble();

  constructor(
    private readonly clock: Clock,
    private readonly state: MemoryLockState = new Map(),
  ) {}

  async acquire(
    app: string,
    holder: LockHolder,
    mode: LockMode,
    waitMs: number,
    onWaiting: (holder: LockHolder) => void,
    signal: AbortSignal,
  ): Promise<Lease | Extract<Refusal, { kind: 'busy' }>> {
    await this.trouble.meet(signal);
    const queue = this.#queue(app);
    if (queue.held === undefined) return this.#take(app, queue, holder);
    if (mode === 'refuse' || waitMs <= 0) return { kind: 'busy', app, holder: queue.held.holder, waitedMs: 0 };
    return this.#wait(app, queue, { holder, onWaiting }, waitMs, signal);
  }

  /** Who holds each app now: empty when every lease was given back. */
  held(): readonly Lease[] {
    return [...this.state.values()].flatMap(({ held }) => held ?? []);
  }

  /** Frees the app's lock whatever its holder does, as an operator may. */
  revoke(app: string): void {
    const queue = this.#queue(app);
    queue.held?.lose();
    this.#next(app, queue);
  }

  #queue(app: string): Queue {
    const queue = this.state.get(app) ?? { held: undefined, lastToken: 0, waiting: [] };
    this.state.set(app, queue);
    return queue;
  }

  #take(app: string, queue: Queue, asker: LockHolder): Lease {
    const holder = { ...asker, since: this.clock.now() };
    const lease = new MemoryLease(app, ++queue.lastToken, holder, () => {
      if (queue.held === lease) this.#next(app, queue);
    });
    queue.held = lease;
    for (const waiter of queue.waiting) waiter.onWaiting(holder);
    return lease;
  }

  #next(app: string, queue: Queue): void {
    queue.held = undefined;
    const next = queue.waiting.shift();
    next?.grant(this.#take(app, queue, next.holder));
  }

  /** Whoever leaves the queue leaves it in that same moment, so that no lease is given to somebody who has gone. */
  #wait(
    app: string,
    queue: Queue,
    { holder, onWaiting }: Pick<Waiter, 'holder' | 'onWaiting'>,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Lease | Extract<Refusal, { kind: 'busy' }>> {
    return new Promise((resolve, reject) => {
      const begun = this.clock.now();
      const over = new AbortController();
      const leave = () => {
        over.abort();
        queue.waiting.splice(queue.waiting.indexOf(waiter), 1);
      };
      const waiter: Waiter = {
        holder,
        onWaiting,
        grant(lease) {
          over.abort();
          resolve(lease);
        },
      };
      const giveUp = () => {
        leave();
        reject(signal.reason);
      };
      const timeUp = () => {
        if (over.signal.aborted) return;
        leave();
        const present = queue.held?.holder ?? holder;
        resolve({ kind: 'busy', app, holder: present, waitedMs: this.clock.now() - begun });
      };
      queue.waiting.push(waiter);
      signal.addEventListener('abort', giveUp, { once: true, signal: over.signal });
      this.clock.sleep(waitMs, over.signal).then(timeUp, () => undefined);
      if (queue.held !== undefined) onWaiting(queue.held.holder);
    });
  }
}

class MemoryLease implements Lease {
  readonly #lost = new AbortController();
  readonly lost: AbortSignal = this.#lost.signal;

  constructor(
    readonly app: string,
    readonly token: number,
    readonly holder: LockHolder,
    private readonly giveBack: () => void,
  ) {}

  lose(): void {
    this.#lost.abort(new Departure('lease-lost'));
  }

  async release(): Promise<void> {
    this.giveBack();
  }
}
