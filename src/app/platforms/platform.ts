import type { AccessControl } from '../../ports/access-control.js';
import type { Authenticator } from '../../ports/authenticator.js';
import type { Clock } from '../../ports/clock.js';
import type { Observer } from '../../ports/observer.js';
import type { Provisioner } from '../../ports/provisioner.js';
import type { RepositoryLocks } from '../../ports/repository-locks.js';
import type { LiveConnections } from '../../ports/live-connections.js';
import type { Transport } from '../../ports/transport.js';
import type { Config } from '../config.js';
import type { Lifecycle } from '../tokens.js';
import type { AskForHostKeys } from './host-keys.js';

/**
 * One platform, opened: an adapter for each port that it stands behind. What an adapter needs of other ports it is given,
 * as another module may have bound them anew.
 */
export interface Platform {
  /** How its dynos are isolated, where that is for this machine to do. */
  readonly sandbox?: string;
  /** What an operator is told loudly at each start. */
  readonly warnings: readonly string[];
  authenticator(): Authenticator;
  accessControl(): AccessControl;
  provisioner(locks: RepositoryLocks, observer: Observer, clock: Clock): Provisioner;
  transport(): Transport;
  connections(authenticator: Authenticator, clock: Clock): LiveConnections;
  lifecycle(locks: RepositoryLocks, observer: Observer): Lifecycle;
  /** Where the server's own keys are the platform's to keep. */
  readonly hostKeys?: AskForHostKeys;
  /**
   * The public keys, as lines, whose certificates its users log in by; without it, it has no say in that.
   * @throws Fault (stage `identify`) when it can't be known.
   */
  authorities?(signal: AbortSignal): Promise<readonly string[]>;
  /** Why no request can be served just now, as far as that is cheap to know; undefined when there is no reason. */
  unreadiness?(): string | undefined;
  /**
   * Makes ready what another configuration wants, for dynos that are made after it is begun with; running ones keep what they
   * have. Without it, nothing of this platform can be replaced.
   * @returns how to begin with it, once everything else is ready too; and what an operator is told loudly then.
   * @throws Error, in words for the operator, when it can't be; nothing has changed then.
   */
  reload?(config: Config): Promise<PreparedPlatform>;
  /** Lets go of what opening it took, also where no lifecycle came about. Idempotent. */
  close(): void;
}

export interface PreparedPlatform {
  readonly warnings: readonly string[];
  /** Never throws. */
  begin(): void;
}
