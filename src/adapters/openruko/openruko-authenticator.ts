import type { PublicKey } from '../../domain/public-key.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Connection } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import type { Authenticator } from '../../ports/authenticator.js';
import type { ApiClient } from './api-client.js';

/** Users are named by the number that the API server knows them by: it tells no other name. */
export class OpenrukoAuthenticator implements Authenticator {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async identify(key: PublicKey, _connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    const holder = await this.#api.lookUpKey(key.md5, 'identify', signal);
    // The user's API key stays behind: access control asks for it anew when it needs it.
    return holder === 'unknown' ? { kind: 'unknown-key' } : { name: holder.user };
  }

  /** The API server opens nothing but by a key that it knows. */
  async identifyCertified(_proof: unknown, _connection: Connection, signal: AbortSignal): Promise<Refusal> {
    signal.throwIfAborted();
    return Promise.resolve({ kind: 'certificate', problem: { kind: 'not-taken' } });
  }
}
