import {
  BrokenCircuitError,
  CircuitState,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  halfJitterGenerator,
  handleWhen,
  retry,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import type { Answer, Call, HttpCaller } from './http-caller.js';
import { Trouble } from './trouble.js';

export interface BreakerLimits {
  /** So many failures in a row keep calls away. */
  readonly failures: number;
  /** For how long; after each such time one call may try. */
  readonly restMs: number;
}

/** How much trouble one question is worth. */
export interface Patience {
  /** How often it is asked in all: more than once only where asking again changes nothing. */
  readonly attempts: number;
  /**
   * What it has to do with a server that keeps failing. `counts`: its failures are counted, and it may be the one that
   * tries. `heeds`: it is kept away as well, but tells nothing about the server: it lasts, or fails for reasons of its
   * own. `ignores`: neither.
   */
  readonly breaker: 'counts' | 'heeds' | 'ignores';
  /** For all attempts together; without it only each call has its time. */
  readonly withinMs?: number;
}

/** The first pause of those who ask again; each further one is about four times as long. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Whether an answer says: not now. Nothing that is asked here is refused by it. */
export function isNotNow(status: number): boolean {
  return status >= 500 || status === 429;
}

/**
 * Asks again, within bounds, what failed for a reason that may pass, and keeps calls away from a server that is down:
 * sessions fail at once, and it is left in peace to come back. What was late is not asked again: it would be later still.
 */
export class PatientCaller {
  readonly #caller: HttpCaller;
  readonly #restMs: number;
  readonly #firstPauseMs: number;
  readonly #breaker: CircuitBreakerPolicy;
  #brokeAt = 0;

  constructor(caller: HttpCaller, { failures, restMs }: BreakerLimits, firstPauseMs = FIRST_PAUSE_MS) {
    this.#caller = caller;
    this.#restMs = restMs;
    this.#firstPauseMs = firstPauseMs;
    // A call that was given up tells nothing; one that tried for all the others has not shown that it may.
    const isFailure = (error: unknown) => error instanceof Trouble || this.#breaker.state === CircuitState.HalfOpen;
    this.#breaker = circuitBreaker(handleWhen(isFailure).orWhenResult(isAnswerOfNotNow), {
      halfOpenAfter: restMs,
      breaker: new ConsecutiveBreaker(failures),
    });
    this.#breaker.onBreak(() => (this.#brokeAt = Date.now()));
  }

  /**
   * @param makeCall makes the call anew for each attempt: a signature grows old.
   * @throws Trouble, or the signal's reason when it aborts.
   */
  async ask(makeCall: () => Call, patience: Patience, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const limit = limited(signal, patience.withinMs);
    let mayHaveArrived = false;
    const attempt = async () => {
      try {
        const answer = await this.#caller.call(makeCall(), limit.signal);
        mayHaveArrived = true;
        return answer;
      } catch (error) {
        mayHaveArrived ||= !(error instanceof Trouble) || error.mayHaveArrived;
        throw error;
      }
    };
    try {
      const again = this.#again(patience.attempts);
      return await untilAborted(
        again.execute(() => this.#guarded(attempt, patience.breaker)),
        limit.signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      const trouble = error instanceof BrokenCircuitError ? leftAlone() : error;
      throw trouble instanceof Trouble
        ? trouble.with({ mayHaveArrived: mayHaveArrived || trouble.mayHaveArrived })
        : trouble;
    } finally {
      limit.lift();
    }
  }

  /** Ends every connection. */
  close(): void {
    this.#caller.close();
  }

  #again(attempts: number) {
    const mayPass = (error: unknown) => error instanceof Trouble && error.code === 'GM_UNAVAILABLE';
    return retry(handleWhen(mayPass).orWhenResult(isAnswerOfNotNow), {
      maxAttempts: attempts - 1,
      // Not all at the same moment, when many sessions met the same outage.
      backoff: new ExponentialBackoff({
        generator: halfJitterGenerator,
        initialDelay: this.#firstPauseMs,
        exponent: 4,
        maxDelay: LONGEST_PAUSE_MS,
      }),
      // A pause goes on after its question was given up; what is alive is so by the session that asks.
    }).dangerouslyUnref();
  }

  async #guarded(attempt: () => Promise<Answer>, how: Patience['breaker']): Promise<Answer> {
    switch (how) {
      case 'ignores':
        return attempt();
      case 'heeds':
        if (this.#isResting) throw new BrokenCircuitError();
        return attempt();
      case 'counts':
        // Cockatiel has everybody wait for the one that tries; who waits for a server that is down fails better at once.
        if (this.#breaker.state === CircuitState.HalfOpen) throw new BrokenCircuitError();
        return this.#breaker.execute(attempt);
    }
  }

  get #isResting(): boolean {
    return this.#breaker.state === CircuitState.Open && Date.now() - this.#brokeAt < this.#restMs;
  }
}

function isAnswerOfNotNow(result: unknown): boolean {
  if (typeof result !== 'object' || result === null || !('status' in result)) return false;
  return typeof result.status === 'number' && isNotNow(result.status);
}

function leftAlone(): Trouble {
  return Trouble.down('it failed several times in a row and is left alone for a moment').with({
    mayHaveArrived: false,
  });
}

/** A signal that aborts with the given one, or as late when the time is over. */
function limited(signal: AbortSignal, withinMs: number | undefined) {
  const over = new AbortController();
  const giveUp = () => over.abort(signal.reason);
  const beLate = () => over.abort(Trouble.late(`no answer within ${withinMs ?? 0} ms`));
  const timer = withinMs === undefined ? undefined : setTimeout(beLate, withinMs);
  signal.addEventListener('abort', giveUp, { once: true });
  const lift = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  };
  return { signal: over.signal, lift };
}

/** Cockatiel sleeps its pauses to the end. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    const settle = () => signal.removeEventListener('abort', giveUp);
    signal.addEventListener('abort', giveUp, { once: true });
    work.finally(settle).then(resolve, reject);
  });
}
