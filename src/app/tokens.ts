import type { ServiceIdentifier } from 'inversify';
import type { AccessControl } from '../ports/access-control.js';
import type { Authenticator } from '../ports/authenticator.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import type { Penalties } from '../ports/penalties.js';
import type { Provisioner } from '../ports/provisioner.js';
import type { RateLimiter } from '../ports/rate-limiter.js';
import type { RepositoryLocks } from '../ports/repository-locks.js';
import type { SessionRegistry } from '../ports/session-registry.js';
import type { LiveConnections } from '../ports/live-connections.js';
import type { Throttle } from '../ports/throttle.js';
import type { Transport } from '../ports/transport.js';

/** Something that must be made ready before the first request, and be let go of after the last. */
export interface Lifecycle {
  /**
   * Rejects when a start makes no sense; the message says what to do.
   * @param signal aborts when the start is given up; the promise is not waited for much longer.
   */
  prepare(signal: AbortSignal): Promise<void>;
  /**
   * After the last session: delivers what must not be lost, for as long as there is time.
   * @param signal aborts when the time is over; the promise is not waited for any longer.
   */
  finish(signal: AbortSignal): Promise<void>;
  close(): void;
}

function token<T>(name: string): ServiceIdentifier<T> {
  return Symbol.for(`gitmouth.${name}`);
}

/** What a module of your own may rebind (`rebind(tokens.authenticator).toConstantValue(…)`). */
export const tokens = {
  authenticator: token<Authenticator>('authenticator'),
  accessControl: token<AccessControl>('access-control'),
  locks: token<RepositoryLocks>('repository-locks'),
  provisioner: token<Provisioner>('provisioner'),
  /** Bound once for each kind of link; bind another to add one. */
  transport: token<Transport>('transport'),
  connections: token<LiveConnections>('live-connections'),
  registry: token<SessionRegistry>('session-registry'),
  observer: token<Observer>('observer'),
  clock: token<Clock>('clock'),
  throttle: token<Throttle>('throttle'),
  penalties: token<Penalties>('penalties'),
  rateLimiter: token<RateLimiter>('rate-limiter'),
  /** Bound any number of times. */
  lifecycle: token<Lifecycle>('lifecycle'),
} as const;
