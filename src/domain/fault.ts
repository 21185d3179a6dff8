/** Where in the life of a session something of ours failed. */
export type Stage = 'identify' | 'authorize' | 'lock' | 'provision' | 'connect' | 'start' | 'run' | 'release';

/** Stable codes; documented in docs/errors.md. Branch on these, never on a message. */
export type FaultCode =
  /** A platform, database or dyno host did not answer. */
  | 'GM_UNAVAILABLE'
  /** It answered something that is not in its contract. */
  | 'GM_BAD_ANSWER'
  /** It did not answer in time. */
  | 'GM_TIMEOUT'
  /** The dyno could not be started. */
  | 'GM_DYNO_START'
  /** The dyno or the way to it was lost before it reported an exit. */
  | 'GM_DYNO_LOST'
  /** The repository on disk is not as it must be, and could not be put right. */
  | 'GM_REPOSITORY'
  /** The lease on the repository was lost while it was used. */
  | 'GM_LEASE_LOST';

const BRAND = Symbol.for('gitmouth.fault');

/**
 * A failure of ours, or of something we depend on: thrown, never returned, and never shown as a denial.
 * Users see "try again" and the session id; the message and `cause` are for the log.
 */
export class Fault extends Error {
  readonly [BRAND] = true;
  readonly code: FaultCode;
  readonly stage: Stage;
  /** Of a time limit that was passed: how long it was, in milliseconds. Users are told of it. */
  readonly limitMs?: number;

  constructor(code: FaultCode, stage: Stage, message: string, options?: { cause?: unknown; limitMs?: number }) {
    super(message, options);
    this.name = 'Fault';
    this.code = code;
    this.stage = stage;
    if (options?.limitMs !== undefined) this.limitMs = options.limitMs;
  }
}

/** A phase of a session took longer than it may. */
export function phaseTimeout(stage: Stage, limitMs: number): Fault {
  return new Fault('GM_TIMEOUT', stage, `not done within ${limitMs} ms`, { limitMs });
}

/** By brand and not by `instanceof`, which fails across duplicate installs and realms. */
export function isFault(error: unknown): error is Fault {
  return typeof error === 'object' && error !== null && BRAND in error;
}
