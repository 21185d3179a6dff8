import { isWrite } from '../../domain/git-request.js';
import type { Grant } from '../../domain/grant.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Session } from '../../domain/session.js';
import type { AccessControl } from '../../ports/access-control.js';
import type { ApiClient } from './api-client.js';

/** Openruko's dynos run the two other services alone, and no operator could change that. */
const NO_ARCHIVES = 'Archives are not given out here.\nClone the app, and make one with git archive on your side.';

/**
 * Asks whether the *user* may use the app, which `gitaction` does not: that call is made with the service's key, and
 * does as it is told.
 *
 * The key is looked up anew for each request. So a removal counts at once, and the user's API key lives no longer than
 * the question it is needed for.
 */
export class OpenrukoAccessControl implements AccessControl {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async authorize({ caller, request }: Session, signal: AbortSignal): Promise<Grant | Refusal> {
    const { user, key } = caller;
    const { app, service } = request;
    const holder = await this.#api.lookUpKey(key.md5, 'authorize', signal);
    if (holder === 'unknown' || holder.user !== user.name) return { kind: 'key-removed' };
    if (!(await this.#api.mayUse(app, holder.apiKey, signal))) return { kind: 'no-access', app, service };
    if (service === 'git-upload-archive') return { kind: 'platform', reason: 'other', text: NO_ARCHIVES };
    return { app, access: isWrite(service) ? 'write' : 'read', creates: false };
  }

  /** The API server's list of apps is made for its web pages and its own command line; nothing here needs it. */
  async list(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}
