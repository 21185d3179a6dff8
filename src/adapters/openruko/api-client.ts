import type { Stage } from '../../domain/fault.js';
import { HttpCaller, type Answer, type ApiAddress, type Call } from '../remote/http-caller.js';
import { inStage } from '../remote/in-stage.js';
import { PatientCaller, type BreakerLimits, type Patience } from '../remote/patient-caller.js';
import { quoted, Trouble } from '../remote/trouble.js';
import { unexpectedStatus } from '../remote/unexpected-status.js';
import { appNameOf, dynoPlaceOf, errorOf, keyHolderOf, type DynoPlace, type KeyHolder } from './answers.js';

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

const QUESTION: Patience = { attempts: 3, breaker: 'counts' };
/** That no dyno host has room is no reason to keep other questions away. */
const JOB: Patience = { attempts: 1, breaker: 'heeds' };

const WHOSE = 'the API server';

/** The three questions to Openruko's API server. What fails is thrown as a Fault of the stage it was asked in. */
export class ApiClient {
  readonly #settings: ApiSettings;
  readonly #caller: PatientCaller;

  constructor(settings: ApiSettings) {
    this.#settings = settings;
    this.#caller = new PatientCaller(new HttpCaller(settings), settings.breaker);
  }

  /** Who holds the key with this MD5; `unknown` when the API server says that nobody does. */
  async lookUpKey(md5: string, stage: Stage, signal: AbortSignal): Promise<KeyHolder | 'unknown'> {
    const { serviceKey } = this.#settings;
    const path = `/internal/lookupUserByPublicKey?fingerprint=${encodeURIComponent(md5)}`;
    return inStage(stage, WHOSE, signal, async () => {
      const answer = await this.#ask(path, serviceKey, signal);
      if (answer.status === 404 && /^Fingerprint .*not found/is.test(errorOf(answer) ?? '')) return 'unknown';
      return this.#expected(answer, keyHolderOf, 'APISERVER_KEY', []);
    });
  }

  /** Whether the user whose API key it is may use the app. Asked with their own key: that is the whole check. */
  async mayUse(app: string, apiKey: string, signal: AbortSignal): Promise<boolean> {
    return inStage('authorize', WHOSE, signal, async () => {
      const answer = await this.#ask(`/apps/${encodeURIComponent(app)}`, apiKey, signal);
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
    const { serviceKey, gitActionMs } = this.#settings;
    const call: Call = {
      method: 'POST',
      path: `/internal/${encodeURIComponent(app)}/gitaction?command=${encodeURIComponent(command)}`,
      headers: showing(serviceKey),
      timeoutMs: gitActionMs,
      connection: 'own',
    };
    return inStage('provision', WHOSE, signal, async () => {
      const answer = await this.#caller.ask(() => call, JOB, signal);
      if (answer.status === 404 && /^App not found/i.test(errorOf(answer) ?? '')) return 'no-app';
      return this.#expected(answer, dynoPlaceOf, 'APISERVER_KEY', []);
    });
  }

  close(): void {
    this.#caller.close();
  }

  #ask(path: string, key: string, signal: AbortSignal): Promise<Answer> {
    const { callMs: timeoutMs } = this.#settings;
    const call: Call = { method: 'GET', path, headers: showing(key), timeoutMs, connection: 'kept' };
    return this.#caller.ask(() => call, QUESTION, signal);
  }

  /** @param secrets of this call, beside our own: none of them may come back in a message. */
  #expected<T>(
    answer: Answer,
    read: (answer: Answer) => T | undefined,
    keyName: string,
    secrets: readonly string[],
  ): T {
    if (answer.status === 200) {
      const value = read(answer);
      if (value !== undefined) return value;
      throw Trouble.wrong('its answer is not what an Openruko API server says to this question');
    }
    const said = errorOf(answer);
    const words = said === undefined ? '' : quoted(said, [this.#settings.serviceKey, ...secrets]);
    throw unexpectedStatus(answer.status, words, keyName);
  }
}

/** The key is the password; the user name is empty. */
function showing(key: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`:${key}`).toString('base64')}` };
}
