import type { Phase } from './events.js';

/** What one session has taken up. */
export interface Usage {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Time spent in each phase that was reached, in milliseconds. */
  readonly phasesMs: Readonly<Partial<Record<Phase, number>>>;
}
