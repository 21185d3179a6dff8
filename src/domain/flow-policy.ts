import type { TimeLimits } from './time-limits.js';

export type FlowLimits = Pick<TimeLimits, 'stallPauseMs' | 'stallEndMs' | 'silenceNoticeMs'>;

/** How a client and its dyno stand, seen at one moment. All in bytes. */
export interface FlowLook {
  /** Sent by either side until now. */
  readonly passed: number;
  /** What the dyno wrote and the client has not taken yet. */
  readonly waiting: number;
  /** What the dyno wrote and the client has taken. Any change is a sign of life, also one by words of ours between. */
  readonly taken: number;
}

/** What is known from the looks before. */
export interface Flow {
  readonly last: FlowLook;
  /** How long something has been waiting without the client taking any, in milliseconds. */
  readonly stalledMs: number;
  readonly isPaused: boolean;
  /** How long neither side has sent a byte, in milliseconds. */
  readonly silentMs: number;
}

export type FlowStep =
  /** Stops the dyno; again after each look that finds the client stalled, as a signal may have woken it. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'end' }
  /** Tells the user that their command still runs; not one who does not read what they are told. */
  | { readonly kind: 'tell'; readonly silentMs: number };

/** The finest that is looked, in milliseconds. */
const FINEST_LOOK_MS = 25;

export const FLOW_BEGIN: Flow = {
  last: { passed: 0, waiting: 0, taken: 0 },
  stalledMs: 0,
  isPaused: false,
  silentMs: 0,
};

/** How often to look, in milliseconds, so that each limit is met within a twentieth of it; undefined where none is set. */
export function lookEveryMs({ stallPauseMs, stallEndMs, silenceNoticeMs }: FlowLimits): number | undefined {
  const set = [stallPauseMs, stallEndMs, silenceNoticeMs].filter((limit) => limit > 0);
  return set.length === 0 ? undefined : Math.max(FINEST_LOOK_MS, Math.min(...set) / 20);
}

/**
 * What to do after one more look. A dyno's silence is never counted against anybody; only a client that leaves what
 * waits for it is.
 *
 * Counted in time between looks and not by the time of day: a machine that stood still ends nobody's session.
 * @param sinceMs the time since the last look.
 */
export function nextFlow(flow: Flow, look: FlowLook, sinceMs: number, limits: FlowLimits): [Flow, readonly FlowStep[]] {
  const isStalled = look.waiting > 0 && look.taken === flow.last.taken;
  const isSilent = look.passed === flow.last.passed;
  const stalledMs = isStalled ? flow.stalledMs + sinceMs : 0;
  const silentMs = isSilent ? flow.silentMs + sinceMs : 0;
  const isPaused = reaches(stalledMs, limits.stallPauseMs);
  const steps: FlowStep[] = [];
  if (isPaused) steps.push({ kind: 'pause' });
  else if (flow.isPaused) steps.push({ kind: 'resume' });
  if (reaches(stalledMs, limits.stallEndMs)) steps.push({ kind: 'end' });
  const isDue = passes(flow.silentMs, silentMs, limits.silenceNoticeMs);
  if (isDue && look.waiting === 0) steps.push({ kind: 'tell', silentMs });
  return [{ last: look, stalledMs, isPaused, silentMs }, steps];
}

function reaches(ms: number, limitMs: number): boolean {
  return limitMs > 0 && ms >= limitMs;
}

/** Whether a whole interval was completed between two looks. */
function passes(beforeMs: number, nowMs: number, everyMs: number): boolean {
  return everyMs > 0 && Math.floor(nowMs / everyMs) > Math.floor(beforeMs / everyMs);
}
