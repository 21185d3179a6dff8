import type { Dyno } from '../../domain/dyno.js';
import type { Grant } from '../../domain/grant.js';
import { isRefusal, type Refusal } from '../../domain/refusal.js';
import type { Session } from '../../domain/session.js';
import type { Usage } from '../../domain/usage.js';
import type { Outcome } from '../../domain/verdict.js';
import type { Clock } from '../../ports/clock.js';
import type { Observer } from '../../ports/observer.js';
import type { Provisioner } from '../../ports/provisioner.js';
import type { Lease } from '../../ports/repository-locks.js';
import { inStage } from '../remote/in-stage.js';
import { Trouble } from '../remote/trouble.js';
import { Outbox } from './outbox.js';
import type { PlatformClient } from './platform-client.js';
import { endingOf, NOTHING_USED } from './questions.js';
import { WHOSE } from './whose.js';

/** Dynos of a platform that is told, whatever happens, when each is no longer needed. */
export class HttpProvisioner implements Provisioner {
  readonly #client: PlatformClient;
  readonly #outbox: Outbox;
  /** Whose each dyno is, and its giving back once that has begun. */
  readonly #opened = new WeakMap<Dyno, { readonly session: Session; release?: Promise<void> }>();

  constructor(client: PlatformClient, observer: Observer, clock: Clock) {
    this.#client = client;
    this.#outbox = new Outbox((ending, signal) => client.endSession(ending, signal), observer, clock);
  }

  provision(grant: Grant, lease: Lease | undefined, session: Session, signal: AbortSignal): Promise<Dyno | Refusal> {
    return inStage('provision', WHOSE, signal, async () => {
      signal.throwIfAborted();
      try {
        const { answer, earlierMayHaveArrived } = await this.#client.openSession(grant, lease?.token, session, signal);
        if (!isRefusal(answer)) this.#opened.set(answer, { session });
        // The answer that was lost may have been a dyno.
        else if (earlierMayHaveArrived) await this.#abandon(session);
        return answer;
      } catch (error) {
        // A dyno may have come to be, or may still be coming, of which nobody will ever hear.
        const mayExist = !(error instanceof Trouble) || error.mayHaveArrived;
        if (mayExist) await this.#abandon(session);
        throw error;
      }
    });
  }

  /** Resolves when the platform has been told, or could not be for a few seconds: then it is told later. */
  async release(dyno: Dyno, outcome: Outcome, usage: Usage): Promise<void> {
    const opened = this.#opened.get(dyno);
    if (opened === undefined) return;
    opened.release ??= this.#outbox.post(endingOf(opened.session, dyno.id, outcome, usage));
    await opened.release;
  }

  /** Tells the platform of what it could not be told yet, until the signal aborts. To be called after the last session. */
  finish(signal: AbortSignal): Promise<void> {
    return this.#outbox.finish(signal);
  }

  /** Nothing is tried any more; what the platform was not told is said to the observer. */
  close(): void {
    this.#outbox.close();
  }

  /** Of a session without a dyno that we know of. */
  #abandon(session: Session): Promise<void> {
    return this.#outbox.post(endingOf(session, undefined, { kind: 'abandoned' }, NOTHING_USED));
  }
}
