import { decideAccess } from '../../domain/access-policy.js';
import type { AppAccess, Grant } from '../../domain/grant.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Caller, Session } from '../../domain/session.js';
import type { AccessControl } from '../../ports/access-control.js';
import type { MemoryPlatform } from './platform.js';
import { Trouble } from './trouble.js';

export class MemoryAccessControl implements AccessControl {
  readonly trouble = new Trouble();

  constructor(private readonly platform: MemoryPlatform) {}

  async authorize({ caller, request }: Session, signal: AbortSignal): Promise<Grant | Refusal> {
    await this.trouble.meet(signal);
    const { platform } = this;
    if (platform.removalOf(caller) !== undefined) return { kind: 'key-removed' };
    const { name } = caller.user;
    const facts = platform.factsFor(name, request.app);
    return decideAccess(caller.user, request, facts, platform.creation, platform.ownedBy(name));
  }

  async list({ user }: Caller, signal: AbortSignal): Promise<readonly AppAccess[]> {
    await this.trouble.meet(signal);
    return this.platform.appsOf(user.name);
  }
}
