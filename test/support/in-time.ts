/** That limits fire in time under the real clock, by what the server itself wrote down. */
import { expect } from '@jest/globals';
import type { SessionLine } from './door.js';

/** For the turns of a busy machine, in milliseconds. */
const SLACK_MS = 300;

/**
 * A limit fires within a tenth of its time, and not before that.
 * @param vaguenessMs by so much it may have begun later than the time that was taken is counted from.
 */
export function expectInTime(tookMs: number, limitMs: number, vaguenessMs = 0): void {
  // Timers and the time of day are told by two clocks, and each rounds.
  expect(tookMs).toBeGreaterThanOrEqual(limitMs * 0.99);
  expect(tookMs).toBeLessThanOrEqual(limitMs * 1.1 + SLACK_MS + vaguenessMs);
}

/** How long one phase took, in milliseconds; NaN where it was not reached. */
export function phaseMs(session: SessionLine, phase: string): number {
  return phasesOf(session)[phase] ?? NaN;
}

/** From the request to the end of the command, whoever ended it, in milliseconds: without the clearing away after it. */
export function servedMs(session: SessionLine): number {
  const { release: _after, ...phases } = phasesOf(session);
  return Object.values(phases).reduce((sum, ms) => sum + ms, 0);
}

function phasesOf({ phasesMs }: SessionLine): Readonly<Record<string, number>> {
  return phasesMs as Record<string, number>;
}
