import { phaseTimeout, type Stage } from '../domain/fault.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import { onAbort } from './on-abort.js';
import { faultFacts, type SessionRecord } from './session-record.js';

/**
 * How long one who was told to give up may take to do so in order, in milliseconds: a tenth of the shortest limit that
 * is set by default. After that the session ends without them.
 */
export const GIVING_UP_MS = 3_000;

/** The time that a session has for those it asks. */
export class Patience {
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #ids: SessionRecord['ids'];
  readonly #ended: AbortSignal;

  /** @param ended aborts when the session must end, whatever it waits for. */
  constructor(clock: Clock, observer: Observer, ids: SessionRecord['ids'], ended: AbortSignal) {
    this.#clock = clock;
    this.#observer = observer;
    this.#ids = ids;
    this.#ended = ended;
  }

  /**
   * Asks an adapter for something, which has to come in time.
   *
   * Rejects with a Fault of the stage (GM_TIMEOUT) when it does not, and with the session's own reason when that ends
   * first. Either way the adapter is told by the signal it gets. One that does not listen keeps nobody.
   *
   * @param limitMs in milliseconds; undefined where only the session's own end limits it.
   * @param giveBack gives back what comes when nobody wants it any more.
   */
  async ask<T>(
    stage: Stage,
    limitMs: number | undefined,
    ask: (signal: AbortSignal) => Promise<T>,
    giveBack: (late: T) => Promise<void> = nothing,
  ): Promise<T> {
    const giveUp = new AbortController();
    const over = new AbortController();
    const unlink = onAbort(this.#ended, () => {
      giveUp.abort(this.#ended.reason);
    });
    if (limitMs !== undefined) {
      const late = () => {
        giveUp.abort(phaseTimeout(stage, limitMs));
      };
      this.#clock.sleep(limitMs, over.signal).then(late, ignored);
    }
    try {
      const asked = ask(giveUp.signal);
      const came = await Promise.race([asked, this.#deafness(giveUp.signal, over.signal)]);
      if (came !== DEAF && !giveUp.signal.aborted) return came;
      if (came === DEAF) asked.then(giveBack).catch(this.#noteUnless(giveUp.signal));
      else await giveBack(came);
    } catch (error) {
      if (!giveUp.signal.aborted) throw error;
    } finally {
      over.abort();
      unlink();
    }
    throw giveUp.signal.reason;
  }

  /** Resolves when one who was told to give up has had the time to. */
  #deafness(giveUp: AbortSignal, over: AbortSignal): Promise<typeof DEAF> {
    return new Promise((resolve) => {
      onAbort(giveUp, () => {
        this.#clock.sleep(GIVING_UP_MS, over).then(() => {
          resolve(DEAF);
        }, ignored);
      });
    });
  }

  /** The session has ended, and its log line is written: what fails now is recorded by itself. */
  #noteUnless(giveUp: AbortSignal): (error: unknown) => void {
    return (error) => {
      if (error !== giveUp.reason) this.#observer.record({ type: 'fault', fault: faultFacts(error), ...this.#ids });
    };
  }
}

const DEAF = Symbol('deaf');

function nothing(): Promise<void> {
  return Promise.resolve();
}

function ignored(): void {
  // It was no longer needed.
}
