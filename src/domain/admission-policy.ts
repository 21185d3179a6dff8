/** Who is let in, how many at once, and what they may use up before they are turned away. */

/** What is counted while it lasts. */
export type Counted =
  | 'connections'
  | 'connections-of-user'
  | 'unauthenticated'
  | 'unauthenticated-of-source'
  | 'dynos'
  | 'dynos-of-user'
  | 'dynos-of-connection';

/** The one key of what is counted for everybody together. */
export const EVERYBODY = 'all';

export interface AdmissionLimits {
  /** From the connection to the log-in. Absolute: no traffic prolongs it. */
  readonly loginMs: number;
  /** From the connection to the client's identification line (RFC 4253 4.2). */
  readonly identificationMs: number;
  /** Connections in all. */
  readonly connections: number;
  /** Connections of one user. */
  readonly connectionsPerUser: number;
  /** Connections that have not logged in, in all. */
  readonly unauthenticated: number;
  /** From so many on new ones are dropped at random, the likelier the more there are (OpenSSH's MaxStartups). */
  readonly unauthenticatedDropFrom: number;
  /** Connections that have not logged in, of one source (`sourceOf`). */
  readonly unauthenticatedPerSource: number;
  /** Failed log-ins of one connection. */
  readonly failedTries: number;
  /** Keys offered without a proof, of one connection. */
  readonly offers: number;
  /** A failed log-in is answered no sooner than this after it was asked for. */
  readonly failureDelayMs: number;
  readonly sessionsPerConnection: number;
  readonly dynosPerConnection: number;
  /** Dynos of this machine. */
  readonly dynos: number;
  readonly dynosPerUser: number;
  /** How many requests wait for a free dyno, and how long. */
  readonly dynoQueue: number;
  readonly dynoQueueMs: number;
  readonly keepaliveMs: number;
  /** Keepalives without an answer, after which the client is gone. */
  readonly keepaliveMisses: number;
  /** A connection on which nothing runs. */
  readonly idleMs: number;
  /** Output the client has not taken, before and after the log-in, in bytes. */
  readonly unreadBytesBeforeLogin: number;
  readonly unreadBytes: number;
  /** How long a client may take nothing at all of what waits for it. */
  readonly unreadMs: number;
  /** New keys are made after so much traffic, both ways together, and after so long (RFC 4253 9). */
  readonly rekeyBytes: number;
  readonly rekeyMs: number;
  /** Key exchanges a client may begin without a mebibyte of traffic since the last one, a minute. */
  readonly rekeysPerMinute: number;
  /** How long one key exchange may take. */
  readonly keyExchangeMs: number;
}

const MIB = 1024 ** 2;

export const DEFAULT_ADMISSION_LIMITS: AdmissionLimits = {
  loginMs: 30_000,
  identificationMs: 10_000,
  connections: 2_000,
  connectionsPerUser: 64,
  unauthenticated: 100,
  unauthenticatedDropFrom: 50,
  unauthenticatedPerSource: 32,
  failedTries: 6,
  offers: 20,
  failureDelayMs: 50,
  sessionsPerConnection: 10,
  dynosPerConnection: 10,
  dynos: 32,
  dynosPerUser: 16,
  dynoQueue: 128,
  dynoQueueMs: 30_000,
  keepaliveMs: 15_000,
  keepaliveMisses: 3,
  idleMs: 60_000,
  unreadBytesBeforeLogin: 256 * 1024,
  unreadBytes: 4 * MIB,
  unreadMs: 120_000,
  rekeyBytes: 1024 * MIB,
  rekeyMs: 3_600_000,
  rekeysPerMinute: 60,
  keyExchangeMs: 30_000,
};

/** Of every hundred connections, how many are dropped where the dropping begins (OpenSSH's default). */
const DROP_RATE = 0.3;

/**
 * May one more stranger come in?
 *
 * A source with its share taken gets no more, but whom of that source it hits is chance (`replace`): honest neighbours
 * behind an attacker's address have a chance of their own. Above it new connections are dropped at random, so that a
 * flood from many sources does not shut everybody else out.
 *
 * @param now those that have not logged in, without the new one.
 * @param random from 0 to 1.
 */
export function decideUnauthenticated(
  now: { readonly total: number; readonly ofSource: number },
  limits: Pick<AdmissionLimits, 'unauthenticated' | 'unauthenticatedDropFrom' | 'unauthenticatedPerSource'>,
  random: number,
): 'admit' | 'refuse' | 'replace' {
  const { unauthenticated: most, unauthenticatedDropFrom: from, unauthenticatedPerSource: share } = limits;
  if (now.ofSource >= share) return 'replace';
  if (now.total >= most) return 'refuse';
  if (now.total < from) return 'admit';
  const dropped = DROP_RATE + ((1 - DROP_RATE) * (now.total - from)) / (most - from);
  return random < dropped ? 'refuse' : 'admit';
}
