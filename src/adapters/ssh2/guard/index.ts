/**
 * The guard: what ssh2 leaves open to a hostile client, closed, in pieces of one duty each. They sit on the `ServerWire` of a
 * connection before its first message is handled, and know nothing of users, git or each other.
 *
 * Beside them, on the way in: `Doorkeeper` (how many), `Turnstile` (one after the other), `Identification` (the first
 * line), `LoginQueue` (log-ins in order, and not too many).
 */
import type { AdmissionLimits } from '../../../domain/admission-policy.js';
import type { Clock } from '../../../ports/clock.js';
import type { ServerWire } from '../internals.js';
import { guardChannelOpens } from './channel-opens.js';
import { guardInputWindow } from './input-window.js';
import { guardKeyExchange } from './key-exchange.js';
import { guardOutput } from './output.js';
import { gateByState } from './state-gate.js';
import type { TurnAway } from './turn-away.js';

export function guard(wire: ServerWire, limits: AdmissionLimits, clock: Clock, turnAway: TurnAway): void {
  gateByState(wire, turnAway);
  guardKeyExchange(wire, limits, clock, turnAway);
  guardOutput(wire, limits, turnAway);
  guardChannelOpens(wire, limits.sessionsPerConnection);
  guardInputWindow(wire, turnAway);
}
