import type { AppAccess } from '../domain/grant.js';
import { listWithinBinding } from '../domain/key-binding.js';
import type { Question, SelfReport, ShownLock } from '../domain/question.js';
import { isRefusal, type Refusal } from '../domain/refusal.js';
import type { Caller } from '../domain/session.js';
import type { Outcome } from '../domain/verdict.js';
import type { AccessControl } from '../ports/access-control.js';
import type { Observer } from '../ports/observer.js';
import type { RepositoryLocks } from '../ports/repository-locks.js';
import type { KeyLookups } from './key-lookups.js';
import type { PenaltyBook } from './penalty-book.js';
import { refused, type Visit } from './run.js';
import { faultFacts } from './session-record.js';

export interface SelfReportsParts {
  readonly lookups: KeyLookups;
  readonly accessControl: AccessControl;
  readonly locks: RepositoryLocks;
  readonly penaltyBook: PenaltyBook;
  readonly observer: Observer;
  /** This software and its version. */
  readonly server: string;
}

/** What is answered without an app and without a dyno. Nothing is opened for it, so it asks itself whether the key is still good. */
export class SelfReports {
  readonly #parts: SelfReportsParts;

  constructor(parts: SelfReportsParts) {
    this.#parts = parts;
  }

  /** To who asks for a shell. */
  async greet(visit: Visit): Promise<Outcome> {
    const refusal =
      (await this.#parts.penaltyBook.refusalOf(visit.live.caller)) ?? (await this.#hasteOf(visit, 'shell'));
    if (refusal !== undefined) return refused(refusal);
    const caller = await this.#callerNow(visit);
    if (isRefusal(caller)) return refused(caller);
    const apps = await this.#appsOf(caller, visit);
    return { kind: 'greeted', apps: apps === 'unknown' ? undefined : apps };
  }

  /** @param refusal what this door refuses to everybody now. */
  async answer(question: Question, visit: Visit, refusal: Refusal | undefined): Promise<Outcome> {
    const { server, penaltyBook } = this.#parts;
    const hasty = await this.#hasteOf(visit, question);
    if (hasty !== undefined) return refused(hasty);
    const caller = await this.#callerNow(visit);
    if (isRefusal(caller)) return refused(caller);
    const apps = await this.#appsOf(caller, visit);
    const report: SelfReport = { question, caller, apps, locks: [], server };
    if (question === 'whoami') return { kind: 'answered', report };
    const inForce = refusal ?? (await penaltyBook.refusalOf(caller));
    const locks = await this.#locksOf(apps, visit);
    return { kind: 'answered', report: { ...report, locks, ...(inForce === undefined ? {} : { refusal: inForce }) } };
  }

  /** Each asks the platform, and a doctor the state for all locks there are. */
  async #hasteOf({ live }: Visit, what: Question | 'shell'): Promise<Refusal | undefined> {
    const { penaltyBook } = this.#parts;
    const hasty = await penaltyBook.refusalOfHaste(live.caller, what);
    if (hasty !== undefined) penaltyBook.refused(live.caller, hasty);
    return hasty;
  }

  /** As they are now: what their key opens may be less than at the log-in, but never another user's. @throws Fault (stage `identify`). */
  async #callerNow({ live, limits, patience }: Visit): Promise<Caller | Refusal> {
    const { caller } = live;
    const answer = await patience.ask('identify', limits.authorizeMs, (signal) =>
      this.#parts.lookups.identifyAnew(caller, signal),
    );
    if (isRefusal(answer)) return answer.kind === 'unknown-key' ? { kind: 'key-removed' } : answer;
    return answer.name === caller.user.name ? { ...caller, user: answer } : { kind: 'key-removed' };
  }

  async #appsOf(caller: Caller, visit: Visit): Promise<SelfReport['apps']> {
    const { accessControl } = this.#parts;
    return this.#ifKnown(visit, async () => {
      const apps = await visit.patience.ask('authorize', visit.limits.authorizeMs, (signal) =>
        accessControl.list(caller, signal),
      );
      return apps === undefined ? undefined : listWithinBinding(caller.user, apps);
    });
  }

  /** Nobody learns of a lock whose app they could not push to. */
  async #locksOf(apps: SelfReport['apps'], visit: Visit): Promise<SelfReport['locks']> {
    if (apps === undefined || apps === 'unknown') return [];
    const writable = new Set(apps.filter(isWritable).map(({ app }) => app));
    if (writable.size === 0) return [];
    return this.#ifKnown(visit, async () => {
      const held = await visit.patience.ask('lock', visit.limits.authorizeMs, (signal) =>
        this.#parts.locks.held(signal),
      );
      return held.filter(({ app }) => writable.has(app)).map(({ app, holder }): ShownLock => ({ app, holder }));
    });
  }

  /** Who can't be asked keeps nobody from the rest of the answer. */
  async #ifKnown<T>({ live, control }: Visit, ask: () => Promise<T>): Promise<T | 'unknown'> {
    try {
      return await ask();
    } catch (error) {
      control.signal.throwIfAborted();
      const { id } = live.caller.connection;
      this.#parts.observer.record({ type: 'fault', fault: faultFacts(error), connection: id });
      return 'unknown';
    }
  }
}

function isWritable({ access }: AppAccess): boolean {
  return access === 'write';
}
