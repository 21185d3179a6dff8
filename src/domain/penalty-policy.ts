/**
 * What is done about those who do wrong again and again: in OpenSSH's spirit (sshd_config(5), PerSourcePenalties; its
 * arithmetic is that of srclimit.c).
 *
 * An address is nobody's alone, so whoever fails there is charged to it, and it is never shut: its strangers have fewer
 * tries. A key is its holder's alone, so it is charged with what was done once it was proven, and refused.
 */
import { sourceOf } from './address.js';
import type { AdmissionLimits } from './admission-policy.js';
import type { Refusal } from './refusal.js';
import type { User } from './user.js';
import type { TurnedAway } from './words/turned-away.js';

/** Whom a penalty is for. A source is one of `sourceOf`. */
export type PenaltySubject =
  | { readonly kind: 'address'; readonly source: string }
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'key'; readonly fingerprint: string };

export type Offence =
  /** A log-in that was tried and not proven. */
  | 'failed-login'
  /** A connection that offered keys, or asked what it may try, and ended without a log-in. */
  | 'no-login'
  /** The time to log in was taken in full. */
  | 'late-login'
  /** What came before the log-in is not what SSH has there. */
  | 'broken-protocol'
  /** An app was named that this caller may not use, or that is none. */
  | 'no-access'
  /** More sessions a minute than there may be. */
  | 'too-fast';

export interface PenaltyBounds {
  /** Penalties are enforced once they have reached so much, in milliseconds. */
  readonly minMs: number;
  /** They never last longer than this from now, in milliseconds. */
  readonly maxMs: number;
}

/** Everything that can be set of this. */
export interface PenaltyRules extends PenaltyBounds {
  readonly isOn: boolean;
  /** What each offence costs, in milliseconds. */
  readonly offencesMs: Readonly<Record<Offence, number>>;
  /** Sessions that one user may begin on one app in a minute; 0 for any number. */
  readonly sessionsPerMinute: number;
  /** Addresses, networks (`192.0.2.0/24`) and `user:NAME`: neither charged nor held to any of this. */
  readonly exempt: readonly string[];
}

export const DEFAULT_PENALTY_RULES: PenaltyRules = {
  isOn: true,
  minMs: 15_000,
  maxMs: 600_000,
  offencesMs: {
    'failed-login': 5_000,
    'no-login': 1_000,
    'late-login': 10_000,
    'broken-protocol': 10_000,
    'no-access': 2_000,
    'too-fast': 5_000,
  },
  sessionsPerMinute: 600,
  exempt: [],
};

export function isOffence(text: string): text is Offence {
  return Object.hasOwn(DEFAULT_PENALTY_RULES.offencesMs, text);
}

/** So many are kept (OpenSSH's max-sources4, by default). */
export const MOST_PENALTIES = 65_536;

/** What is held against one subject. It runs off by itself. */
export interface Penalty {
  /** When it has run off, in milliseconds since the epoch. */
  readonly until: number;
  /** Whether it counts yet; from then on it does until it has run off. */
  readonly isEnforced: boolean;
  /** What was done last. */
  readonly offence: Offence;
}

/** What one offence more makes of a penalty; `before` is undefined, or past, where there is none. */
export function addPenalty(
  before: Penalty | undefined,
  offence: Offence,
  ms: number,
  { minMs, maxMs }: PenaltyBounds,
  now: number,
): Penalty {
  const present = before !== undefined && before.until > now ? before : undefined;
  const until = Math.min((present?.until ?? now) + ms, now + maxMs);
  return { until, offence, isEnforced: present?.isEnforced === true || until - now >= minMs };
}

/** How a connection that nobody has logged in over has behaved, at its end. */
export interface StrangersConduct {
  /** Why it was turned away, if it was. */
  readonly reason?: TurnedAway;
  /** Log-ins that were tried and failed. */
  readonly failures: number;
  /** Whether a key was offered or a log-in tried at all. */
  readonly hasTried: boolean;
}

/** What such a connection is charged with. One that came, said nothing and went is not: load balancers do that. */
export function offencesOfStranger({ reason, failures, hasTried }: StrangersConduct): readonly Offence[] {
  const failed = Array.from({ length: failures }, (): Offence => 'failed-login');
  const conduct = reason === undefined ? 'own-end' : CONDUCT[reason];
  if (conduct === 'late-login' || conduct === 'broken-protocol') return [...failed, conduct];
  return failed.length > 0 || !hasTried || conduct === 'not-theirs' ? failed : ['no-login'];
}

/** What the reason of an end says of a stranger; `not-theirs` is what may happen to anybody, for want of room, say. */
const CONDUCT: Readonly<Record<TurnedAway, 'late-login' | 'broken-protocol' | 'own-end' | 'not-theirs'>> = {
  'too-many-connections': 'not-theirs',
  'too-many-connections-of-user': 'not-theirs',
  'too-many-strangers': 'not-theirs',
  'login-timeout': 'late-login',
  'identification-timeout': 'late-login',
  'key-exchange-timeout': 'late-login',
  'too-many-failures': 'own-end',
  'too-many-offers': 'own-end',
  'no-keys-agreed': 'not-theirs',
  idle: 'not-theirs',
  'keepalive-timeout': 'not-theirs',
  'no-proxy-header': 'not-theirs',
  'bad-proxy-header': 'not-theirs',
  'proxy-header-timeout': 'not-theirs',
  'too-many-pending-logins': 'broken-protocol',
  'unread-output': 'broken-protocol',
  'stalled-output': 'broken-protocol',
  'too-many-key-exchanges': 'broken-protocol',
  'message-before-login': 'broken-protocol',
  'message-out-of-place': 'broken-protocol',
  'window-exceeded': 'broken-protocol',
  'bad-identification': 'broken-protocol',
  'untrusted-proxy': 'broken-protocol',
  'broken-protocol': 'broken-protocol',
};

/** What a refused request is charged with: those by which names can be guessed, and haste. */
export function offenceOfRefusal({ kind }: Refusal): Offence | undefined {
  if (kind === 'no-access' || kind === 'key-bound') return 'no-access';
  return kind === 'too-fast' ? 'too-fast' : undefined;
}

/** Whom something can be held against that a caller did: their key, and their user. */
export function subjectsOfCaller(caller: {
  readonly user: { readonly name: string };
  readonly key: { readonly sha256: string };
}): readonly [key: PenaltySubject, user: PenaltySubject] {
  return [keySubject(caller.key.sha256), { kind: 'user', name: caller.user.name }];
}

/**
 * What a user is charged with, in milliseconds, for a refusal that their key was charged with: half of it, until the key
 * has to pause. That is less than the least that is enforced, so that no key makes its user pause alone, however many
 * sessions it had begun by then. A bound key is out of its user's hands, and charged alone.
 *
 * @param ms what the key was charged with.
 * @param ofKey what that made of the key's penalty.
 */
export function shareOfUser(
  { binding }: Pick<User, 'binding'>,
  { kind }: Refusal,
  ms: number,
  ofKey: { readonly isEnforced: boolean; readonly hasBegun: boolean },
  { minMs }: Pick<PenaltyBounds, 'minMs'>,
): number {
  const isOfKeyAlone = binding !== undefined || kind === 'key-bound';
  const hadToPause = ofKey.isEnforced && !ofKey.hasBegun;
  return isOfKeyAlone || hadToPause ? 0 : Math.floor(Math.min(ms, minMs) / 2);
}

/** A caller whose key or account has to pause is refused; where both have, for as long as the longer of them. */
export function penalisedRefusal(
  ofKey: Penalty | undefined,
  ofUser: Penalty | undefined,
  now: number,
): Extract<Refusal, { kind: 'penalised' }> | undefined {
  const waitMs = (penalty: Penalty | undefined) => (penalty?.isEnforced === true ? penalty.until - now : 0);
  const [whose, penalty] = waitMs(ofUser) > waitMs(ofKey) ? (['user', ofUser] as const) : (['key', ofKey] as const);
  if (penalty === undefined || waitMs(penalty) <= 0) return undefined;
  return { kind: 'penalised', whose, offence: penalty.offence, waitMs: waitMs(penalty) };
}

export function addressSubject(address: string): PenaltySubject {
  return { kind: 'address', source: sourceOf(address) };
}

function keySubject(fingerprint: string): PenaltySubject {
  return { kind: 'key', fingerprint };
}

/** What a stranger of a penalised address may still use up: enough for somebody who has the right key. */
const RESTRICTED = { loginMs: 10_000, failedTries: 1, offers: 6 };

export type StrangerLimits = Pick<AdmissionLimits, 'loginMs' | 'failedTries' | 'offers' | 'failureDelayMs'>;

export function limitsFor(isPenalised: boolean, limits: StrangerLimits): StrangerLimits {
  if (!isPenalised) return limits;
  return {
    ...limits,
    loginMs: Math.min(limits.loginMs, RESTRICTED.loginMs),
    failedTries: Math.min(limits.failedTries, RESTRICTED.failedTries),
    offers: Math.min(limits.offers, RESTRICTED.offers),
  };
}

/** As people write it, and as it is kept: `192.0.2.7`, `2001:db8::/64`, `user:alice`, `SHA256:…`. */
export function subjectText(subject: PenaltySubject): string {
  switch (subject.kind) {
    case 'address':
      return subject.source;
    case 'user':
      return `${USER}${subject.name}`;
    case 'key':
      return subject.fingerprint;
  }
}

/** The subject of such a text; what is neither a user nor a fingerprint is an address. */
export function subjectOf(text: string): PenaltySubject {
  if (text.startsWith(USER)) return { kind: 'user', name: text.slice(USER.length) };
  if (text.startsWith('SHA256:')) return keySubject(text);
  return text.endsWith('/64') ? { kind: 'address', source: text } : addressSubject(text);
}

const USER = 'user:';
