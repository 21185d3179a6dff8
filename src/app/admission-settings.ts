/** The settings of who is let in, how many at once, and what they may use up: the limits of domain/admission-policy. */
import type { AdmissionLimits } from '../domain/admission-policy.js';
import { KIB, MIB, seconds, whole } from './setting-checks.js';

/** A laptop's worth, however few cores there are: dynos wait for the client and the disk more than they compute. */
const FEWEST_DYNOS = 32;
const DYNOS_PER_CORE = 8;

export const ADMISSION_SETTINGS = {
  GITMOUTH_LOGIN_SECONDS: [
    seconds(1, 600),
    '30',
    'From the connection to the log-in, in seconds. No traffic prolongs it.',
  ],
  GITMOUTH_IDENTIFICATION_SECONDS: [
    seconds(1, 600),
    '10',
    "From the connection to the client's first line, which names its software, in seconds.",
  ],
  GITMOUTH_CONNECTIONS: [whole(1, 100_000), '2000', 'Connections that may be open in all.'],
  GITMOUTH_CONNECTIONS_PER_USER: [whole(1, 100_000), '64', 'Connections that one user may have open.'],
  GITMOUTH_UNAUTHENTICATED: [
    whole(1, 100_000),
    '100',
    'Connections that may be open without having logged in, in all.',
  ],
  GITMOUTH_UNAUTHENTICATED_DROP_FROM: [
    whole(1, 100_000),
    '50',
    'From so many of these on, new ones are dropped at random: 3 of 10 at first, and all at the limit above.',
  ],
  GITMOUTH_UNAUTHENTICATED_PER_SOURCE: [
    whole(1, 100_000),
    '32',
    'Connections that have not logged in, of one IPv4 address or IPv6 /64. As many wait a moment; then chance decides who goes.',
  ],
  GITMOUTH_FAILED_LOGINS: [whole(1, 1000), '6', 'Failed log-ins of one connection, after which it ends.'],
  GITMOUTH_KEY_OFFERS: [
    whole(1, 1000),
    '20',
    'Keys that one connection may offer without being let in: agents offer all they hold.',
  ],
  GITMOUTH_FAILURE_DELAY_MS: [
    whole(0, 10_000),
    '50',
    'A failed log-in is answered no sooner than this, in milliseconds.',
  ],
  GITMOUTH_SESSIONS_PER_CONNECTION: [whole(1, 1000), '10', 'Sessions that may be open at once over one connection.'],
  GITMOUTH_DYNOS: [whole(1, 100_000), '', 'Dynos that may run at once; unset, 8 for each core, and at least 32.'],
  GITMOUTH_DYNOS_PER_USER: [whole(1, 100_000), '', 'Dynos that one user may have at once; unset, half of all.'],
  GITMOUTH_DYNOS_PER_CONNECTION: [whole(1, 1000), '10', 'Dynos that may run at once over one connection.'],
  GITMOUTH_DYNO_QUEUE: [
    whole(0, 10_000),
    '128',
    'Requests that may wait for a free dyno; the user with the fewest dynos goes first.',
  ],
  GITMOUTH_DYNO_QUEUE_SECONDS: [
    seconds(0, 3600),
    '30',
    'How long a request waits for a free dyno before it is refused, in seconds; 0 for not at all.',
  ],
  GITMOUTH_KEEPALIVE_SECONDS: [
    seconds(1, 3600),
    '15',
    'How often a client is asked whether it is still there, in seconds.',
  ],
  GITMOUTH_KEEPALIVE_MISSES: [
    whole(1, 100),
    '3',
    'How often in a row a client may leave that question unanswered before it is taken for gone.',
  ],
  GITMOUTH_IDLE_SECONDS: [
    seconds(1, 86_400),
    '60',
    'How long a connection may stay on which nothing runs, in seconds.',
  ],
  GITMOUTH_UNREAD_BEFORE_LOGIN_KIB: [
    whole(64, 1_048_576),
    '256',
    'Answers a client may leave unread before it has logged in, in KiB.',
  ],
  GITMOUTH_UNREAD_KIB: [
    whole(1024, 1_048_576),
    '4096',
    "Answers a client may leave unread once it has logged in, in KiB. Git's own output waits instead.",
  ],
  GITMOUTH_UNREAD_SECONDS: [
    seconds(1, 86_400),
    '120',
    'How long a client may read nothing at all of what waits for it, in seconds.',
  ],
  GITMOUTH_REKEY_MIB: [whole(1, 1_048_576), '1024', 'Traffic after which a connection gets new keys, in MiB.'],
  GITMOUTH_REKEY_SECONDS: [seconds(10, 604_800), '3600', 'Time after which a connection gets new keys, in seconds.'],
  GITMOUTH_REKEYS_PER_MINUTE: [
    whole(1, 6000),
    '60',
    'Key exchanges a client may begin in a minute; one after a MiB of traffic does not count.',
  ],
  GITMOUTH_KEY_EXCHANGE_SECONDS: [seconds(1, 600), '30', 'How long one key exchange may take, in seconds.'],
} as const;

export type AdmissionSetting = keyof typeof ADMISSION_SETTINGS;

/** How the configuration is read: what is wrong is noted there, and read as undefined here. */
export interface AdmissionSource {
  readonly must: (name: AdmissionSetting) => number;
  readonly isSet: (name: AdmissionSetting) => boolean;
  readonly problem: (text: string) => void;
}

/** @param cores of this machine. */
export function readAdmission(source: AdmissionSource, cores: number): AdmissionLimits {
  const { must, isSet } = source;
  const dynos = isSet('GITMOUTH_DYNOS') ? must('GITMOUTH_DYNOS') : Math.max(FEWEST_DYNOS, DYNOS_PER_CORE * cores);
  const half = Math.max(1, Math.floor(dynos / 2));
  const limits: AdmissionLimits = {
    loginMs: must('GITMOUTH_LOGIN_SECONDS'),
    identificationMs: must('GITMOUTH_IDENTIFICATION_SECONDS'),
    connections: must('GITMOUTH_CONNECTIONS'),
    connectionsPerUser: must('GITMOUTH_CONNECTIONS_PER_USER'),
    unauthenticated: must('GITMOUTH_UNAUTHENTICATED'),
    unauthenticatedDropFrom: must('GITMOUTH_UNAUTHENTICATED_DROP_FROM'),
    unauthenticatedPerSource: must('GITMOUTH_UNAUTHENTICATED_PER_SOURCE'),
    failedTries: must('GITMOUTH_FAILED_LOGINS'),
    offers: must('GITMOUTH_KEY_OFFERS'),
    failureDelayMs: must('GITMOUTH_FAILURE_DELAY_MS'),
    sessionsPerConnection: must('GITMOUTH_SESSIONS_PER_CONNECTION'),
    dynos,
    dynosPerUser: isSet('GITMOUTH_DYNOS_PER_USER') ? must('GITMOUTH_DYNOS_PER_USER') : half,
    dynosPerConnection: must('GITMOUTH_DYNOS_PER_CONNECTION'),
    dynoQueue: must('GITMOUTH_DYNO_QUEUE'),
    dynoQueueMs: must('GITMOUTH_DYNO_QUEUE_SECONDS'),
    keepaliveMs: must('GITMOUTH_KEEPALIVE_SECONDS'),
    keepaliveMisses: must('GITMOUTH_KEEPALIVE_MISSES'),
    idleMs: must('GITMOUTH_IDLE_SECONDS'),
    unreadBytesBeforeLogin: must('GITMOUTH_UNREAD_BEFORE_LOGIN_KIB') * KIB,
    unreadBytes: must('GITMOUTH_UNREAD_KIB') * KIB,
    unreadMs: must('GITMOUTH_UNREAD_SECONDS'),
    rekeyBytes: must('GITMOUTH_REKEY_MIB') * MIB,
    rekeyMs: must('GITMOUTH_REKEY_SECONDS'),
    rekeysPerMinute: must('GITMOUTH_REKEYS_PER_MINUTE'),
    keyExchangeMs: must('GITMOUTH_KEY_EXCHANGE_SECONDS'),
  };
  noteContradictions(limits, source);
  return limits;
}

/** A part that is larger than its whole would never be reached: somebody has mistaken one for the other. */
function noteContradictions(limits: AdmissionLimits, { isSet, problem }: AdmissionSource): void {
  const atMost = (part: number, name: AdmissionSetting, all: number, nameOfAll: AdmissionSetting) => {
    const is = isSet(name) ? `'${part}'` : `${part} by default`;
    if (part > all) problem(`${name} must be at most ${nameOfAll}, which is ${all}; it is ${is}`);
  };
  const { unauthenticated, unauthenticatedDropFrom, unauthenticatedPerSource, dynos, dynosPerUser } = limits;
  const total = 'GITMOUTH_UNAUTHENTICATED';
  atMost(unauthenticatedDropFrom, 'GITMOUTH_UNAUTHENTICATED_DROP_FROM', unauthenticated, total);
  atMost(unauthenticatedPerSource, 'GITMOUTH_UNAUTHENTICATED_PER_SOURCE', unauthenticated, total);
  atMost(dynosPerUser, 'GITMOUTH_DYNOS_PER_USER', dynos, 'GITMOUTH_DYNOS');
}
