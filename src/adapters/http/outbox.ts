import { setMaxListeners } from 'node:events';
import { bulkhead, ExponentialBackoff, halfJitterGenerator } from 'cockatiel';
import type { Clock } from '../../ports/clock.js';
import type { Observer } from '../../ports/observer.js';
import { Trouble } from '../remote/trouble.js';
import type { Reception } from './platform-client.js';
import type { Ending } from './questions.js';

/** Hands one ending to the platform. @throws Trouble when it may be tried again, and the signal's reason. */
export type Send = (ending: Ending, signal: AbortSignal) => Promise<Reception>;

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const BACKOFF = new ExponentialBackoff({
  generator: halfJitterGenerator,
  initialDelay: FIRST_PAUSE_MS,
  exponent: 2,
  maxDelay: LONGEST_PAUSE_MS,
});
/** While everything waits for the end there is no time for more. */
const LAST_PAUSE_MS = 1_000;
/** What a platform has refused so often it will not take. */
const MOST_REJECTIONS = 10;
/** From this try on something is wrong that an operator should know of before it is too late. */
const TELL_AT_ATTEMPT = 5;
/** So many are tried at once, so that a platform that comes back is not run over. */
const AT_ONCE = 16;

/**
 * Tells the platform of sessions that have ended, again and again until it has understood: what it is told of may hold a
 * dyno. Holds no more than so many; what is not delivered in the end is told to the observer, once each.
 */
export class Outbox {
  readonly #send: Send;
  readonly #observer: Observer;
  readonly #clock: Clock;
  readonly #most: number;
  readonly #entries = new Set<Entry>();
  readonly #lane = bulkhead(AT_ONCE, Infinity);
  readonly #hurry = new AbortController();
  #isClosed = false;
  #isDelayTold = false;

  constructor(send: Send, observer: Observer, clock: Clock, most = 1_000) {
    this.#send = send;
    this.#observer = observer;
    this.#clock = clock;
    this.#most = most;
    // One for each that waits, and those are bounded.
    setMaxListeners(0, this.#hurry.signal);
  }

  /** Tries once. Resolves when that is over, delivered or not; the rest is done in the background. Never rejects. */
  async post(ending: Ending): Promise<void> {
    const entry = new Entry(ending);
    this.#entries.add(entry);
    this.#makeRoom();
    await this.#attempt(entry);
    if (this.#isClosed) this.#giveUp(entry);
    else void this.#goOn(entry);
  }

  /** Delivers what is left, until it is done or the signal aborts. */
  async finish(signal: AbortSignal): Promise<void> {
    this.#hurry.abort();
    const timeIsOver = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (this.#entries.size > 0 && !signal.aborted) {
      await Promise.race([timeIsOver, ...[...this.#entries].map(({ settled }) => settled)]);
    }
    this.close();
  }

  /** Nothing is tried again from now on. */
  close(): void {
    this.#isClosed = true;
    this.#hurry.abort();
    for (const entry of this.#entries) this.#giveUp(entry);
  }

  async #goOn(entry: Entry): Promise<void> {
    let backoff = BACKOFF.next();
    for (;;) {
      if (entry.over.aborted) return;
      await this.#pause(backoff.duration, entry.over);
      if (entry.over.aborted) return;
      await this.#lane.execute(() => this.#attempt(entry));
      backoff = backoff.next(undefined);
    }
  }

  /** Ends early when there is no more time to lose. */
  async #pause(ms: number, over: AbortSignal): Promise<void> {
    const { signal } = this.#hurry;
    const isHurried = signal.aborted;
    const awake = new AbortController();
    const wake = () => awake.abort();
    over.addEventListener('abort', wake, { once: true });
    if (!isHurried) signal.addEventListener('abort', wake, { once: true });
    await this.#clock.sleep(isHurried ? Math.min(ms, LAST_PAUSE_MS) : ms, awake.signal).catch(() => undefined);
    over.removeEventListener('abort', wake);
    signal.removeEventListener('abort', wake);
  }

  async #attempt(entry: Entry): Promise<void> {
    if (entry.over.aborted) return;
    try {
      const reception = await this.#send(entry.ending, entry.over);
      if (reception.kind === 'known') this.#settle(entry);
      else if ((entry.rejections += 1) >= MOST_REJECTIONS) this.#giveUp(entry, reception.words);
      else entry.trouble = reception.words;
    } catch (error) {
      entry.trouble = error instanceof Trouble ? error.message : String(error);
    }
    if ((entry.attempts += 1) === TELL_AT_ATTEMPT && !entry.over.aborted) this.#tellOfDelay(entry);
  }

  /** Once for all that wait behind the same trouble. */
  #tellOfDelay({ trouble }: Entry): void {
    if (this.#isDelayTold) return;
    this.#isDelayTold = true;
    const count = this.#entries.size;
    const message = `the platform could not be told yet that ${count} session(s) have ended, and is asked on: ${trouble}`;
    this.#observer.record({ type: 'problem', message });
  }

  #makeRoom(): void {
    const [oldest] = this.#entries;
    if (this.#entries.size <= this.#most || oldest === undefined) return;
    this.#giveUp(oldest, `${this.#most} others wait to be told as well`);
  }

  #settle(entry: Entry): void {
    this.#entries.delete(entry);
    if (this.#entries.size === 0) this.#isDelayTold = false;
    entry.end();
  }

  #giveUp(entry: Entry, why = entry.trouble): void {
    if (!this.#entries.has(entry)) return;
    this.#settle(entry);
    const { session, connection } = entry.ending;
    this.#observer.record({
      type: 'problem',
      message: `the platform was not told that this session has ended, and may hold its dyno: ${why}`,
      session,
      connection,
    });
  }
}

class Entry {
  readonly #over = new AbortController();
  /** Aborts when it is delivered or given up. */
  readonly over = this.#over.signal;
  readonly settled: Promise<void>;
  rejections = 0;
  attempts = 0;
  trouble = 'there was no time to';

  constructor(readonly ending: Ending) {
    this.settled = new Promise((resolve) => this.over.addEventListener('abort', () => resolve(), { once: true }));
  }

  end(): void {
    this.#over.abort();
  }
}
