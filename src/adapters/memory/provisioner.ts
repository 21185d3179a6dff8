import type { Dyno } from '../../domain/dyno.js';
import type { Grant } from '../../domain/grant.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Session } from '../../domain/session.js';
import type { Usage } from '../../domain/usage.js';
import type { Outcome } from '../../domain/verdict.js';
import type { Provisioner } from '../../ports/provisioner.js';
import type { Lease } from '../../ports/repository-locks.js';
import { Trouble } from './trouble.js';

/** What a dyno was provided for. */
export interface Provision {
  readonly dyno: Dyno;
  readonly grant: Grant;
  readonly lease: Lease | undefined;
  readonly session: Session;
}

/** Dynos that are names. Keeps a record, from which it can be seen that each one was given back. */
export class MemoryProvisioner implements Provisioner {
  readonly trouble = new Trouble();
  readonly releaseTrouble = new Trouble();
  /** An answer to give in place of a dyno. */
  refusal: Refusal | undefined;
  readonly provisions: Provision[] = [];
  readonly releases: { readonly dyno: Dyno; readonly outcome: Outcome; readonly usage: Usage }[] = [];
  readonly #held = new Map<string, Dyno>();

  async provision(
    grant: Grant,
    lease: Lease | undefined,
    session: Session,
    signal: AbortSignal,
  ): Promise<Dyno | Refusal> {
    await this.trouble.meet(signal);
    if (this.refusal !== undefined) return this.refusal;
    const dyno: Dyno = { id: `dyno-${this.provisions.length + 1}`, link: { kind: 'memory' } };
    this.provisions.push({ dyno, grant, lease, session });
    this.#held.set(dyno.id, dyno);
    return dyno;
  }

  async release(dyno: Dyno, outcome: Outcome, usage: Usage): Promise<void> {
    if (!this.#held.delete(dyno.id)) return;
    this.releases.push({ dyno, outcome, usage });
    this.releaseTrouble.strike();
  }

  /** The dynos that were not given back yet. */
  held(): readonly Dyno[] {
    return [...this.#held.values()];
  }
}
