import { randomInt } from 'node:crypto';
import type { Stage } from '../../domain/fault.js';
import type { Clock } from '../../ports/clock.js';
import { appNameOf, dynoPlaceOf, errorOf, keyHolderOf, type DynoPlace, type KeyHolder } from './answers.js';
import { CircuitBreaker, type BreakerLimits } from '../remote/circuit-breaker.js';
import { HttpCaller, type Answer, type ApiAddress, type Call } from '../remote/http-caller.js';
import { quoted, Trouble } from '../remote/trouble.js';

export interface ApiSettings extends ApiAddress {
  /** The API server's own key (`APISERVER_KEY`). */
  readonly serviceKey: string;
  /** How long one call for a key or an app may take. */
  readonly callMs: number;
  /** How long a dyno may take to be found: the API server itself gives up after about ten seconds. */
  readonly gitActionMs: number;
  readonly breaker: BreakerLimits;
}

export const DEFAULT_API_LIMITS = {
  connectMs: 5_000,
  callMs: 5_000,
  gitActionMs: 20_000,
  breaker: { failures: 5, restMs: 5_000 },
} as const;

/** How often a question is asked, and how long is waited between: after each failure about four times as long. */
const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 100;

const WHOSE = 'the API server';

type Asked = Omit<Call, 'key'>;

/** The three questions to Openruko's API server. What fails is thrown as a Fault of the stage it was asked in. */
export class ApiClient {
  readonly #settings: ApiSettings;
  readonly #clock: Clock;
  readonly #caller: HttpCaller;
  readonly #breaker: CircuitBreaker;

  constructor(settings: ApiSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#caller = new HttpCaller(settings);
    this.#breaker = new CircuitBreaker(settings.breaker, clock);
  }

  /** Who holds the key with this MD5; `unknown` when the API server says that nobody does. */
  async lookUpKey(md5: string, stage: Stage, signal: AbortSignal): Promise<KeyHolder | 'unknown'> {
    const { serviceKey, callMs } = this.#settings;
    const path = `/internal/lookupUserByPublicKey?fingerprint=${encodeURIComponent(md5)}`;
    return this.#inStage(stage, signal, async () => {
      const answer = await this.#ask({ method: 'GET', path, timeoutMs: callMs }, serviceKey, signal);
      if (answer.status === 404 && /^Fingerprint .*not found/is.test(errorOf(answer) ?? '')) return 'unknown';
      return this.#expected(answer, keyHolderOf, 'APISERVER_KEY', []);
    });
  }

  /** Whether the user whose API key it is may use the app. Asked with their own key: that is the whole check. */
  async mayUse(app: string, apiKey: string, signal: AbortSignal): Promise<boolean> {
    const call: Asked = { method: 'GET', path: `/apps/${encodeURIComponent(app)}`, timeoutMs: this.#settings.callMs };
    return this.#inStage('authorize', signal, async () => {
      const answer = await this.#ask(call, apiKey, signal);
      if (answer.status === 404 && /^(?:User not authorized|App not found)/i.test(errorOf(answer) ?? '')) return false;
      const name = this.#expected(answer, appNameOf, "the user's key", [apiKey]);
      if (name !== app) throw Trouble.wrong('it was asked for one app and answered with another');
      return true;
    });
  }

  /**
   * Has a dyno started; `no-app` when the app is gone. Never repeated: an answer that was lost on the way has had its
   * dyno started all the same.
   */
  async gitAction(app: string, command: string, signal: AbortSignal): Promise<DynoPlace | 'no-app'> {
    const path = `/internal/${encodeURIComponent(app)}/gitaction?command=${encodeURIComponent(command)}`;
    const { serviceKey, gitActionMs } = this.#settings;
    return this.#inStage('provision', signal, async () => {
      const outcome = await this.#attempt({ method: 'POST', path, timeoutMs: gitActionMs, key: serviceKey }, signal);
      // Any answer shows that it is there; that no dyno host has room is no reason to keep other questions away.
      if (outcome instanceof Trouble) this.#breaker.failed();
      else this.#breaker.succeeded();
      const answer = orThrow(outcome);
      if (answer.status === 404 && /^App not found/i.test(errorOf(answer) ?? '')) return 'no-app';
      return this.#expected(answer, dynoPlaceOf, 'APISERVER_KEY', []);
    });
  }

  close(): void {
    this.#caller.close();
  }

  async #inStage<T>(stage: Stage, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof Trouble ? error.toFault(stage, WHOSE) : error;
    }
  }

  /** Asks again, within bounds, what failed for a reason that may pass. Not what was late: it would be later still. */
  async #ask(asked: Asked, key: string, signal: AbortSignal): Promise<Answer> {
    for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt += 1, pauseMs *= 4) {
      const answer = await this.#attempt({ ...asked, key }, signal);
      const isDown = answer instanceof Trouble ? answer.code === 'GM_UNAVAILABLE' : answer.status >= 500;
      if (isDown || answer instanceof Trouble) this.#breaker.failed();
      else this.#breaker.succeeded();
      if (!isDown || attempt >= ATTEMPTS) return orThrow(answer);
      // Not all at the same moment, when many sessions met the same outage.
      await this.#clock.sleep(randomInt(Math.ceil(pauseMs / 2), pauseMs + 1), signal);
    }
  }

  /** One call. @throws Trouble when none may be made, and the signal's reason. */
  async #attempt(call: Call, signal: AbortSignal): Promise<Answer | Trouble> {
    if (!this.#breaker.mayTry()) throw Trouble.down('it failed several times in a row and is left alone for a moment');
    try {
      return await this.#caller.call(call, signal);
    } catch (error) {
      if (error instanceof Trouble) return error;
      throw error;
    }
  }

  /** @param secrets of this call, beside our own: none of them may come back in a message. */
  #expected<T>(
    answer: Answer,
    read: (answer: Answer) => T | undefined,
    keyName: string,
    secrets: readonly string[],
  ): T {
    const value = answer.status === 200 ? read(answer) : undefined;
    if (value !== undefined) return value;
    const said = errorOf(answer);
    const words = said === undefined ? '' : `: ${quoted(said, [this.#settings.serviceKey, ...secrets])}`;
    throw unexpected(answer.status, words, keyName);
  }
}

function orThrow(answer: Answer | Trouble): Answer {
  if (answer instanceof Trouble) throw answer;
  return answer;
}

function unexpected(status: number, words: string, keyName: string): Trouble {
  if (status >= 500) return Trouble.down(`it answered with status ${status}${words}`);
  if (status === 401 || status === 403)
    return Trouble.wrong(`it does not accept ${keyName} (status ${status})${words}`);
  if (status >= 300 && status < 400)
    return Trouble.wrong(`it answered with a redirect (status ${status}), and none is followed`);
  if (status === 200) return Trouble.wrong('its answer is not what an Openruko API server says to this question');
  return Trouble.wrong(`it answered with status ${status}${words}`);
}
