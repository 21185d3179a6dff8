import { randomUUID } from 'node:crypto';
import type { Dyno } from '../../domain/dyno.js';
import type { AppAccess, Grant } from '../../domain/grant.js';
import type { CertifiedProof } from '../../domain/proof.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Caller, Connection, Session } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import { HttpCaller, type Answer, type Call } from '../remote/http-caller.js';
import { PatientCaller, isNotNow, type BreakerLimits, type Patience, type Reply } from '../remote/patient-caller.js';
import type { TlsTrust } from '../remote/tls.js';
import { quoted, Trouble } from '../remote/trouble.js';
import { unexpectedStatus } from '../remote/unexpected-status.js';
import { appsOf, authoritiesOf, certifiedOf, errorOf, hostKeysOf, userOf, type KeptHostKey } from './answers.js';
import { dynoOf } from './dynos.js';
import { grantOf } from './grants.js';
import { PlatformAddress } from './platform-address.js';
import { authorizeBody, findCertifiedBody, findUserBody, openSessionBody, type Ending } from './questions.js';
import { authHeaders, credentialOf, secretOf, type PlatformAuth } from './signing.js';

export interface PlatformSettings {
  /** Where the platform's API is; the paths of docs/platform-api.yaml follow it. */
  readonly url: URL | string;
  readonly auth: PlatformAuth;
  readonly trust: TlsTrust;
  readonly connectMs: number;
  /** How long one call may take, of which there may be three for one question. */
  readonly callMs: number;
  /** How long a dyno may take to be had, with all that is asked again for it. */
  readonly openMs: number;
  readonly breaker: BreakerLimits;
  /** The first pause before something is asked again; the others are longer. */
  readonly firstPauseMs?: number;
}

export const DEFAULT_PLATFORM_LIMITS = {
  connectMs: 5_000,
  callMs: 5_000,
  openMs: 60_000,
  breaker: { failures: 5, restMs: 5_000 },
} as const;

const QUESTION: Patience = { attempts: 3, breaker: 'counts' };
/** It holds up who waits for it: a session that gives its dyno back, with its lock. */
const MOST_ENDING_MS = 3_000;

/** What became of the news that a session has ended: the platform has it, or says that it does not want it. */
export type Reception = { readonly kind: 'known' } | { readonly kind: 'rejected'; readonly words: string };

/** What came of asking for a dyno. */
export interface Opening {
  readonly answer: Dyno | Refusal;
  /** Whether it was asked for before as well, and that may have arrived: what was made then is not in the answer. */
  readonly earlierMayHaveArrived: boolean;
}

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly connection?: Call['connection'];
}

type Read<T> = (reply: Reply, requestId: string) => T;

/** The operations of docs/platform-api.yaml. What fails is thrown as Trouble, or as the signal's reason. */
export class PlatformClient {
  readonly #settings: PlatformSettings;
  readonly #address: PlatformAddress;
  readonly #caller: PatientCaller;

  /** @throws Error when the URL is none a platform can be asked at. */
  constructor(settings: PlatformSettings) {
    this.#settings = settings;
    this.#address = new PlatformAddress(settings.url);
    const { trust, connectMs, breaker, firstPauseMs } = settings;
    const { protocol, host, port } = this.#address;
    this.#caller = new PatientCaller(new HttpCaller({ protocol, host, port, trust, connectMs }), breaker, firstPauseMs);
  }

  findUser(key: PublicKey, { id, address }: Connection, signal: AbortSignal): Promise<User | 'unknown'> {
    const headers = { 'X-Gitmouth-Connection': id };
    const question = { method: 'POST', path: '/v1/find-user', body: findUserBody(key, address), headers } as const;
    return this.#ask(question, QUESTION, (answer) => this.#read(answer, userOf), signal);
  }

  findCertified(proof: CertifiedProof, { id, address }: Connection, signal: AbortSignal): Promise<User | 'unknown'> {
    const headers = { 'X-Gitmouth-Connection': id };
    const body = findCertifiedBody(proof, address);
    const question = { method: 'POST', path: '/v1/find-user', body, headers } as const;
    return this.#ask(question, QUESTION, (answer) => this.#read(answer, (ok) => certifiedOf(ok, proof)), signal);
  }

  /** Lines of public keys. */
  listAuthorities(signal: AbortSignal): Promise<readonly string[]> {
    const question = { method: 'GET', path: '/v1/certificate-authorities' } as const;
    return this.#ask(question, QUESTION, (answer) => this.#read(answer, authoritiesOf), signal);
  }

  authorize({ id, caller, request }: Session, signal: AbortSignal): Promise<Grant | Refusal> {
    const headers = idsOf(caller.connection.id, id);
    const question = { method: 'POST', path: '/v1/authorize', body: authorizeBody(caller, request), headers } as const;
    const read = (answer: Answer) => this.#read(answer, (ok) => grantOf(ok, request));
    return this.#ask(question, QUESTION, read, signal);
  }

  listApps({ user, connection }: Caller, signal: AbortSignal): Promise<readonly AppAccess[] | undefined> {
    const path = `/v1/users/${encodeURIComponent(user.name)}/apps`;
    const question = { method: 'GET', path, headers: { 'X-Gitmouth-Connection': connection.id } } as const;
    return this.#ask(question, QUESTION, (answer) => this.#read(answer, appsOf), signal);
  }

  /** The server's own keys, where the platform keeps them. */
  hostKeys(signal: AbortSignal): Promise<readonly KeptHostKey[]> {
    const question = { method: 'GET', path: '/v1/host-keys' } as const;
    return this.#ask(question, QUESTION, (answer) => this.#read(answer, hostKeysOf), signal);
  }

  /** Asked again with the session's id, an opening gives the dyno that it gave before. */
  openSession(grant: Grant, leaseToken: number | undefined, session: Session, signal: AbortSignal): Promise<Opening> {
    const { openMs } = this.#settings;
    const question: Question = {
      method: 'POST',
      path: '/v1/sessions',
      body: openSessionBody(grant, leaseToken, session),
      headers: { ...idsOf(session.caller.connection.id, session.id), 'Idempotency-Key': session.id },
      timeoutMs: openMs,
      connection: 'own',
    };
    // A platform that is out of dynos is no reason to keep other questions away.
    const patience: Patience = { attempts: 3, breaker: 'heeds', withinMs: openMs };
    const read = (reply: Reply): Opening => ({
      answer: this.#read(reply, (ok) => dynoOf(ok, grant, session)),
      earlierMayHaveArrived: reply.earlierMayHaveArrived,
    });
    return this.#ask(question, patience, read, signal);
  }

  endSession({ session, connection, body }: Ending, signal: AbortSignal): Promise<Reception> {
    const timeoutMs = Math.min(this.#settings.callMs, MOST_ENDING_MS);
    const path = `/v1/sessions/${encodeURIComponent(session)}/end`;
    const question: Question = { method: 'POST', path, body, headers: idsOf(connection, session), timeoutMs };
    // The second is for a kept connection that the platform has just closed. Whoever sends it has a patience of their own.
    const patience: Patience = { attempts: 2, breaker: 'ignores', withinMs: timeoutMs };
    return this.#ask(question, patience, (answer, requestId) => this.#received(answer, requestId), signal);
  }

  close(): void {
    this.#caller.close();
  }

  async #ask<T>(question: Question, patience: Patience, read: Read<T>, signal: AbortSignal): Promise<T> {
    const requestId = randomUUID();
    try {
      return read(await this.#caller.ask(() => this.#call(question, requestId), patience, signal), requestId);
    } catch (error) {
      throw error instanceof Trouble ? error.with({ message: named(error.message, requestId) }) : error;
    }
  }

  #call({ method, path, body, headers, timeoutMs, connection }: Question, requestId: string): Call {
    const { auth, callMs } = this.#settings;
    const text = body === undefined ? '' : JSON.stringify(body);
    const whole = this.#address.prefix + path;
    return {
      method,
      path: whole,
      headers: {
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        'X-Request-Id': requestId,
        ...headers,
        ...authHeaders(auth, { method, path: whole, body: text }, Date.now()),
      },
      ...(body === undefined ? {} : { body: text }),
      timeoutMs: timeoutMs ?? callMs,
      connection: connection ?? 'kept',
    };
  }

  #read<T>(answer: Answer, read: (answer: Answer) => T): T {
    if (answer.status === 200) return read(answer);
    throw this.#unexpected(answer);
  }

  #received(answer: Answer, requestId: string): Reception {
    const { status } = answer;
    // Who does not know the session (any more) has nothing left of it.
    if (status === 204 || status === 404 || status === 410) return { kind: 'known' };
    const trouble = this.#unexpected(answer);
    if (status < 400 || status === 408 || isNotNow(status)) throw trouble;
    return { kind: 'rejected', words: named(trouble.message, requestId) };
  }

  #unexpected(answer: Answer): Trouble {
    const { auth } = this.#settings;
    const said = errorOf(answer);
    const words = said === undefined ? '' : quoted(said, [secretOf(auth)]);
    return unexpectedStatus(answer.status, words, credentialOf(auth));
  }
}

/** By what the platform's own log knows it. */
function named(message: string, requestId: string): string {
  return `${message} (request ${requestId})`;
}

function idsOf(connection: string, session: string): Record<string, string> {
  return { 'X-Gitmouth-Connection': connection, 'X-Gitmouth-Session': session };
}
