import type { LockHolder, LockMode, LockRecall } from '../../domain/lock-policy.js';
import type { Refusal } from '../../domain/refusal.js';
import { Departure } from '../../domain/session-end.js';
import type { Clock } from '../../ports/clock.js';
import type { HeldLock, Lease, RepositoryLocks } from '../../ports/repository-locks.js';
import { Trouble } from './trouble.js';

/** How long a lease would last; in one process nobody outlives it. */
const LEASE_MS = 30_000;

/** Those who wait for one app, in their order, and who holds it. */
interface Queue {
  held: MemoryLease | undefined;
  lastToken: number;
  readonly waiting: Waiter[];
}

interface Waiter {
  readonly holder: LockHolder;
  readonly mode: LockMode;
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
    return this.#wait(app, queue, { holder, mode, onWaiting }, waitMs, signal);
  }

  async held(signal: AbortSignal): Promise<readonly HeldLock[]> {
    await this.trouble.meet(signal);
    return this.leases().map((lease) => this.#lockOf(lease));
  }

  async free(app: string, signal: AbortSignal): Promise<HeldLock | undefined> {
    await this.trouble.meet(signal);
    const { held } = this.#queue(app);
    held?.recall('lock-released');
    return held && this.#lockOf(held);
  }

  /** The leases of now: none when every one was given back. */
  leases(): readonly MemoryLease[] {
    return [...this.state.values()].flatMap(({ held }) => held ?? []);
  }

  /** Frees the app's lock whatever its holder does, as when its lease had run out. */
  revoke(app: string): void {
    const queue = this.#queue(app);
    queue.held?.lose();
    this.#next(app, queue);
  }

  /** Tells the holder of the app that its lease is about to run out; it is its own until it lets go. */
  warn(app: string, graceMs: number): void {
    this.#queue(app).held?.lose(graceMs);
  }

  #queue(app: string): Queue {
    const queue = this.state.get(app) ?? { held: undefined, lastToken: 0, waiting: [] };
    this.state.set(app, queue);
    return queue;
  }

  #take(app: string, queue: Queue, asker: LockHolder): Lease {
    const now = this.clock.now();
    const holder = { ...asker, since: now };
    queue.lastToken = Math.max(queue.lastToken + 1, now);
    const lease = new MemoryLease(app, queue.lastToken, holder, () => {
      if (queue.held === lease) this.#next(app, queue);
    });
    queue.held = lease;
    for (const waiter of queue.waiting) waiter.onWaiting(holder);
    if (queue.waiting.some(({ mode }) => mode === 'supersede')) lease.recall('superseded');
    return lease;
  }

  #lockOf({ app, token, holder }: MemoryLease): HeldLock {
    return { app, token, holder, expiresAt: this.clock.now() + LEASE_MS };
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
    { holder, mode, onWaiting }: Pick<Waiter, 'holder' | 'mode' | 'onWaiting'>,
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
        mode,
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
      if (mode === 'supersede') queue.held?.recall('superseded');
    });
  }
}

class MemoryLease implements Lease {
  readonly #recalled = new AbortController();
  readonly #lost = new AbortController();
  #graceMs = 0;
  readonly recalled: AbortSignal = this.#recalled.signal;
  readonly lost: AbortSignal = this.#lost.signal;

  constructor(
    readonly app: string,
    readonly token: number,
    readonly holder: LockHolder,
    private readonly giveBack: () => void,
  ) {}

  recall(reason: LockRecall): void {
    this.#recalled.abort(new Departure(reason));
  }

  graceMs(): number {
    return this.#graceMs;
  }

  lose(graceMs = 0): void {
    this.#graceMs = graceMs;
    this.#lost.abort(new Departure('lease-lost'));
  }

  async release(): Promise<void> {
    this.giveBack();
  }
}
