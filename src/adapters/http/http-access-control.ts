import type { AppAccess, Grant } from '../../domain/grant.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Caller, Session } from '../../domain/session.js';
import type { AccessControl } from '../../ports/access-control.js';
import { inStage } from '../remote/in-stage.js';
import type { PlatformClient } from './platform-client.js';
import { WHOSE } from './whose.js';

/** The platform sees user, key and app in each question, and decides anew. */
export class HttpAccessControl implements AccessControl {
  readonly #client: PlatformClient;

  constructor(client: PlatformClient) {
    this.#client = client;
  }

  authorize(session: Session, signal: AbortSignal): Promise<Grant | Refusal> {
    return inStage('authorize', WHOSE, signal, () => this.#client.authorize(session, signal));
  }

  list(caller: Caller, signal: AbortSignal): Promise<readonly AppAccess[] | undefined> {
    return inStage('authorize', WHOSE, signal, () => this.#client.listApps(caller, signal));
  }
}
