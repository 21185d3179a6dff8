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
  /** How long the question whether a user may use an app may take. */
  readonly authorizeMs: number;
  /** How long the making of a dyno may take. */
  readonly provisionMs: number;
  /** How long the way into a dyno may take. */
  readonly connectMs: number;
  /** From the open dyno to git's first byte, where git speaks first; 0 for as long as it likes. */
  readonly firstByteMs: number;
  /** After so long without a byte taken by the client, of what waits for it, its dyno is stopped; 0 for never. */
  readonly stallPauseMs: number;
  /** After so long without a byte taken by the client, of what waits for it, its session ends; 0 for never. */
  readonly stallEndMs: number;
  /** From the request to the end, waiting included; a grant may narrow it. 0 for no end. */
  readonly sessionMs: number;
  /** How long neither side says anything before the user is told that the command runs; 0 for never. */
  readonly silenceNoticeMs: number;
}

export const DEFAULT_TIME_LIMITS: TimeLimits = {
  drainMs: 300_000,
  terminateGraceMs: 5_000,
  lockWaitMs: 600_000,
  lookupCacheMs: 5_000,
  authorizeMs: 30_000,
  provisionMs: 120_000,
  connectMs: 60_000,
  firstByteMs: 60_000,
  stallPauseMs: 10_000,
  stallEndMs: 600_000,
  sessionMs: 3_600_000,
  silenceNoticeMs: 60_000,
};
