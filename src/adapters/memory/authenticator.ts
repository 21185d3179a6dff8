import type { CertifiedProof } from '../../domain/proof.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Connection } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import type { Authenticator } from '../../ports/authenticator.js';
import type { MemoryPlatform } from './platform.js';
import { Trouble } from './trouble.js';

export class MemoryAuthenticator implements Authenticator {
  readonly trouble = new Trouble();

  constructor(private readonly platform: MemoryPlatform) {}

  async identify(key: PublicKey, _connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    await this.trouble.meet(signal);
    const name = this.platform.userOf(key);
    return name === undefined ? { kind: 'unknown-key' } : { name };
  }

  async identifyCertified(
    { user }: CertifiedProof,
    _connection: Connection,
    signal: AbortSignal,
  ): Promise<User | Refusal> {
    await this.trouble.meet(signal);
    return this.platform.has(user) ? { name: user } : { kind: 'certificate', problem: { kind: 'unknown-user', user } };
  }
}
