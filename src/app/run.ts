import { isFault } from '../domain/fault.js';
import type { LockMode } from '../domain/lock-policy.js';
import type { Refusal } from '../domain/refusal.js';
import { isDeparture } from '../domain/session-end.js';
import type { Session } from '../domain/session.js';
import type { TimeLimits } from '../domain/time-limits.js';
import { outcomeOfError, type Outcome } from '../domain/verdict.js';
import type { ClientChannel } from '../ports/client-channel.js';
import type { LiveConnection } from '../ports/live-connections.js';
import type { DynoSession } from '../ports/transport.js';
import type { Patience } from './patience.js';
import type { SessionRecord } from './session-record.js';

/** What a client asks, while it is answered. */
export interface Visit {
  readonly channel: ClientChannel;
  readonly live: LiveConnection;
  readonly record: SessionRecord;
  /** Those that held when it began. */
  readonly limits: TimeLimits;
  /** Where the platform's grant says nothing else. The one that held when it began. */
  readonly lockMode: LockMode;
  /** Aborts, with a Departure or a Fault, when the client leaves or the session must end. */
  readonly control: AbortController;
  /** For those who are asked on its way. */
  readonly patience: Patience;
}

/** A request on its way, with all that its steps share. */
export interface Run extends Visit {
  readonly session: Session;
  /** The app's own name, once the platform has told it. */
  app?: string;
  /** The dyno's end, once there is one. */
  opened?: DynoSession;
}

export function refused(refusal: Refusal): Outcome {
  return { kind: 'refused', refusal };
}

/** Whatever is thrown while the session was being ended is the ending, not a failure of its own. */
export function outcomeOf(error: unknown, signal: AbortSignal): Outcome {
  const reason: unknown = signal.reason;
  if (isDeparture(reason)) return { kind: 'ended', reason: reason.reason };
  return outcomeOfError(isFault(reason) ? reason : error);
}
