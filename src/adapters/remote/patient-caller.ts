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
import { limited, untilAborted } from './giving-up.js';
import type { Answer, Call, HttpCaller } from './http-caller.js';
import { Trouble } from './trouble.js';

export interface BreakerLimits {
  /** So many questions in a row that failed keep calls away; each counts once, however often it was asked. */
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

export interface Reply extends Answer {
  /** Whether another attempt came before this one and may have arrived, whatever became of it. */
  readonly earlierMayHaveArrived: boolean;
}

type Attempt = (signal: AbortSignal) => Promise<Reply>;

/** The first pause of those who ask again; each further one is about four times as long. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Whether an answer says: not now. Nothing that is asked here is refused by it. */
export function isNotNow(status: number): boolean {
  return isBroken(status) || status === 429;
}

function isBroken(status: number): boolean {
  return status >= 500;
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
  readonly #closed = new AbortController();
  #brokeAt = 0;

  constructor(caller: HttpCaller, { failures, restMs }: BreakerLimits, firstPauseMs = FIRST_PAUSE_MS) {
    this.#caller = caller;
    this.#restMs = restMs;
    this.#firstPauseMs = firstPauseMs;
    // A question that was given up tells nothing, and who has time to say 429 is not down.
    const isTrouble = (error: unknown) => error instanceof Trouble;
    this.#breaker = circuitBreaker(handleWhen(isTrouble).orWhenResult(answers(isBroken)), {
      halfOpenAfter: restMs,
      breaker: new ConsecutiveBreaker(failures),
    });
    this.#breaker.onBreak(() => (this.#brokeAt = Date.now()));
  }

  /**
   * @param makeCall makes the call anew for each attempt: a signature grows old.
   * @throws Trouble, or the signal's reason when it aborts.
   */
  async ask(makeCall: () => Call, patience: Patience, signal: AbortSignal): Promise<Reply> {
    signal.throwIfAborted();
    const limit = limited(signal, patience.withinMs);
    let mayHaveArrived = false;
    const attempt: Attempt = async (during) => {
      const earlierMayHaveArrived = mayHaveArrived;
      try {
        const answer = await this.#caller.call(makeCall(), during);
        mayHaveArrived = true;
        return { ...answer, earlierMayHaveArrived };
      } catch (error) {
        mayHaveArrived ||= !(error instanceof Trouble) || error.mayHaveArrived;
        throw error;
      }
    };
    try {
      return await this.#guarded(attempt, patience, limit.signal);
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

  /** Ends every connection, and the call that tries for all the others. */
  close(): void {
    this.#closed.abort(Trouble.down('the client was closed'));
    this.#caller.close();
  }

  async #guarded(attempt: Attempt, { attempts, breaker }: Patience, signal: AbortSignal): Promise<Reply> {
    switch (breaker) {
      case 'ignores':
        return this.#repeated(attempt, attempts, signal);
      case 'heeds':
        return this.#repeated(
          this.#unless(() => this.#isResting, attempt),
          attempts,
          signal,
        );
      case 'counts':
        // Cockatiel has everybody wait for the one that tries; who waits for a server that is down fails better at once.
        if (this.#isResting || this.#breaker.state === CircuitState.HalfOpen) throw new BrokenCircuitError();
        if (this.#breaker.state === CircuitState.Open) return this.#tried(attempt, signal);
        return this.#breaker.execute(() =>
          this.#repeated(
            this.#unless(() => this.#breaker.state !== CircuitState.Closed, attempt),
            attempts,
            signal,
          ),
        );
    }
  }

  /**
   * Tries once for all the others. It goes on when whoever asked has left: otherwise strangers who come and leave could
   * keep everybody away from a server that is well again. The time of a call is its bound.
   */
  #tried(attempt: Attempt, signal: AbortSignal): Promise<Reply> {
    return untilAborted(
      this.#breaker.execute(() => attempt(this.#closed.signal)),
      signal,
    );
  }

  #repeated(attempt: Attempt, attempts: number, signal: AbortSignal): Promise<Reply> {
    return untilAborted(
      this.#again(attempts).execute(() => attempt(signal)),
      signal,
    );
  }

  /** Stops asking again as well, when others have found the server down. */
  #unless(isAway: () => boolean, attempt: Attempt): Attempt {
    return async (signal) => {
      if (isAway()) throw new BrokenCircuitError();
      return attempt(signal);
    };
  }

  #again(attempts: number) {
    const mayPass = (error: unknown) => error instanceof Trouble && error.code === 'GM_UNAVAILABLE';
    return retry(handleWhen(mayPass).orWhenResult(answers(isNotNow)), {
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

  get #isResting(): boolean {
    return this.#breaker.state === CircuitState.Open && Date.now() - this.#brokeAt < this.#restMs;
  }
}

/** Whether a result is an answer with such a status. */
function answers(isSuch: (status: number) => boolean): (result: unknown) => boolean {
  return (result) => {
    if (typeof result !== 'object' || result === null || !('status' in result)) return false;
    return typeof result.status === 'number' && isSuch(result.status);
  };
}

function leftAlone(): Trouble {
  return Trouble.down('it failed several times in a row and is left alone for a moment').with({
    mayHaveArrived: false,
  });
}
