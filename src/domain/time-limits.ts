/** How long things may take, in milliseconds. */
export interface TimeLimits {
  /** From SIGTERM on, how long running sessions may go on. */
  readonly drainMs: number;
  /** From the signal TERM to git, how long it may clean up before its namespace is killed. */
  readonly terminateGraceMs: number;
  /** How long a push waits for another one to the same app before it is refused. */
  readonly lockWaitMs: number;
  /** How long a look-up of a key may be reused, over all connections. */
  readonly lookupCacheMs: number;
}

export const DEFAULT_TIME_LIMITS: TimeLimits = {
  drainMs: 300_000,
  terminateGraceMs: 5_000,
  lockWaitMs: 600_000,
  lookupCacheMs: 5_000,
};
