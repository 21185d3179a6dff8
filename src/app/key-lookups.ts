import { LRUCache } from 'lru-cache';
import { sourceOf } from '../domain/address.js';
import { Fault } from '../domain/fault.js';
import { proofId, type CertifiedProof, type Proof } from '../domain/proof.js';
import { isSecurityKey } from '../domain/public-key.js';
import { isRefusal, type Refusal } from '../domain/refusal.js';
import type { Caller, Connection } from '../domain/session.js';
import type { User } from '../domain/user.js';
import type { Authenticator } from '../ports/authenticator.js';
import type { Clock } from '../ports/clock.js';
import type { ProofJudge } from './proof-judge.js';

/** So many different keys in a few seconds are no crowd of users any more. */
const MAX_CACHED = 10_000;

/** How many look-ups of one source, or for one user, are under way at once; the next wait their turn. */
const LOOKUPS_PER_SOURCE = 8;

/**
 * Look-ups of keys and of those whom certificates name, spared where they can be: a client offers, proves, and connects
 * again in the next second.
 *
 * Only "this user's" is remembered, and briefly: a key that was added just now works at once. What is remembered
 * grants nothing; access control asks anew for each request. Whether a key is revoked or a certificate in force is judged
 * each time, and of a registered security key nothing is remembered: at its next log-in it may have to verify its user,
 * which access control does not ask.
 */
export class KeyLookups {
  readonly #authenticator: Authenticator;
  readonly #judge: ProofJudge;
  readonly #users: LRUCache<string, User>;
  readonly #cacheMs: () => number;
  readonly #sources = new Map<string, { running: number; waiting: (() => void)[] }>();

  /** @param cacheMs how long an answer that comes now is remembered; 0 for not at all. */
  constructor(authenticator: Authenticator, judge: ProofJudge, cacheMs: () => number, clock: Clock) {
    this.#authenticator = authenticator;
    this.#judge = judge;
    this.#cacheMs = cacheMs;
    this.#users = new LRUCache({ max: MAX_CACHED, ttl: 1, ttlResolution: 0, perf: clock });
  }

  /** @throws Fault (stage `identify`). */
  async identify(proof: Proof, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    return this.#identify(proof, connection, signal, this.#users.get(proofId(proof)), sourceOf(connection.address));
  }

  /** Who somebody is now that has logged in: never from what is remembered, and in nobody's way who logs in from there. */
  async identifyAnew(caller: Caller, signal: AbortSignal): Promise<User | Refusal> {
    return this.#identify(caller, caller.connection, signal, undefined, `user ${caller.user.name}`);
  }

  /**
   * Why what a caller has proven counts no more; undefined while it does, as far as that is known here.
   * @throws Fault (stage `identify`).
   */
  refusalOf(caller: Caller): Refusal | undefined {
    const judgement = this.#judge.judge(caller, caller.connection);
    if (judgement.kind === 'refused') return judgement.refusal;
    const isAnothers = judgement.kind === 'certified' && judgement.proof.user !== caller.user.name;
    return isAnothers ? { kind: 'unknown-key' } : undefined;
  }

  /** @param line those in one line wait for each other: a source, or a user. */
  async #identify(
    proof: Proof,
    connection: Connection,
    signal: AbortSignal,
    known: User | undefined,
    line: string,
  ): Promise<User | Refusal> {
    const judgement = this.#judge.judge(proof, connection);
    switch (judgement.kind) {
      case 'refused':
        return judgement.refusal;
      case 'key':
        return (
          known ?? this.#ask(proof, line, signal, () => this.#authenticator.identify(proof.key, connection, signal))
        );
      case 'certified': {
        const certified = judgement.proof;
        // Of its several principals another one may have been meant when it was asked for last.
        const isKnown = known?.name === certified.user;
        const user = isKnown
          ? known
          : await this.#ask(proof, line, signal, () => this.#certified(certified, connection, signal));
        return judgement.needsVerification && !isRefusal(user) ? { ...user, needsVerification: true } : user;
      }
    }
  }

  async #ask(
    proof: Proof,
    line: string,
    signal: AbortSignal,
    question: () => Promise<User | Refusal>,
  ): Promise<User | Refusal> {
    await this.#enter(line, signal);
    try {
      signal.throwIfAborted();
      const answer = await question();
      const [id, ttl] = [proofId(proof), this.#cacheMs()];
      if (isRefusal(answer) || ttl === 0 || mayHaveToVerify(proof)) this.#users.delete(id);
      else this.#users.set(id, answer, { ttl });
      return answer;
    } finally {
      this.#leave(line);
    }
  }

  /** Whom a certificate names is for its authority to say, and for nobody else. */
  async #certified(proof: CertifiedProof, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    const answer = await this.#authenticator.identifyCertified(proof, connection, signal);
    if (isRefusal(answer) || answer.name === proof.user) return answer;
    throw new Fault('GM_BAD_ANSWER', 'identify', 'asked for the user of a certificate, the platform named another one');
  }

  /** Rejects with the signal's reason, having left the queue, when that aborts before its turn. */
  async #enter(line: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const source = this.#sources.get(line) ?? { running: 0, waiting: [] };
    this.#sources.set(line, source);
    if (source.running < LOOKUPS_PER_SOURCE) {
      source.running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        source.waiting.splice(source.waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      source.waiting.push(turn);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** The place goes straight to who waits first. */
  #leave(line: string): void {
    const source = this.#sources.get(line);
    if (source === undefined) return;
    const next = source.waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    source.running -= 1;
    if (source.running === 0) this.#sources.delete(line);
  }
}

function mayHaveToVerify({ key, certificate }: Proof): boolean {
  return certificate === undefined && isSecurityKey(key.algorithm);
}
