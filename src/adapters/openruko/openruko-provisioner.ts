import type { Dyno } from '../../domain/dyno.js';
import type { Grant } from '../../domain/grant.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Session } from '../../domain/session.js';
import type { Outcome } from '../../domain/verdict.js';
import type { Provisioner } from '../../ports/provisioner.js';
import type { Lease } from '../../ports/repository-locks.js';
import type { ApiClient } from './api-client.js';

/**
 * Has the API server find a dyno host. Openruko knows no lease, no environment and no protocol but git's oldest: of
 * all that a session brings, only app and command can be passed on.
 */
export class OpenrukoProvisioner implements Provisioner {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  /** When it is given up while it is open, a dyno may come to be all the same: there is no call to take it back. */
  async provision(
    grant: Grant,
    _lease: Lease | undefined,
    session: Session,
    signal: AbortSignal,
  ): Promise<Dyno | Refusal> {
    const { service } = session.request;
    const place = await this.#api.gitAction(grant.app, service, signal);
    if (place === 'no-app') return { kind: 'no-access', app: grant.app, service };
    return { id: place.dynoId, link: { kind: 'rendezvous', host: place.host, service } };
  }

  /** A dyno ends with its command, and no call ends it earlier: nothing is held here that could be given back. */
  async release(_dyno: Dyno, _outcome: Outcome): Promise<void> {
    return Promise.resolve();
  }
}
