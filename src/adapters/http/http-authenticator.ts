import type { CertifiedProof } from '../../domain/proof.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Connection } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import type { Authenticator } from '../../ports/authenticator.js';
import { inStage } from '../remote/in-stage.js';
import type { PlatformClient } from './platform-client.js';
import { WHOSE } from './whose.js';

export class HttpAuthenticator implements Authenticator {
  readonly #client: PlatformClient;

  constructor(client: PlatformClient) {
    this.#client = client;
  }

  identify(key: PublicKey, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    return inStage('identify', WHOSE, signal, async () => {
      const user = await this.#client.findUser(key, connection, signal);
      return user === 'unknown' ? { kind: 'unknown-key' } : user;
    });
  }

  identifyCertified(proof: CertifiedProof, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    return inStage('identify', WHOSE, signal, async () => {
      const user = await this.#client.findCertified(proof, connection, signal);
      return user === 'unknown' ? { kind: 'certificate', problem: { kind: 'unknown-user', user: proof.user } } : user;
    });
  }
}
