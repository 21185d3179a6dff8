/** Why a session or connection is ended before its command has. */
export type EndReason =
  | 'client-left'
  | 'drained'
  | 'user-removed'
  | 'key-removed'
  | 'key-changed'
  | 'key-revoked'
  | 'lease-lost'
  | 'superseded'
  | 'lock-released'
  | 'operator'
  | 'stalled'
  | 'time-limit';

const BRAND = Symbol.for('gitmouth.departure');

/** The reason of an abort: not a failure. */
export class Departure extends Error {
  readonly [BRAND] = true;
  readonly reason: EndReason;

  constructor(reason: EndReason) {
    super(`session ended: ${reason}`);
    this.name = 'Departure';
    this.reason = reason;
  }
}

export function isDeparture(error: unknown): error is Departure {
  return typeof error === 'object' && error !== null && BRAND in error;
}
