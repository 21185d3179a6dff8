/** The settings of how long each part of a session may take: what of domain/time-limits holds while one is served. */
import type { TimeLimits } from '../domain/time-limits.js';
import { seconds } from './setting-checks.js';

const DAY_SECONDS = 86_400;

export const PHASE_SETTINGS = {
  GITMOUTH_MAX_AUTHORIZE_SECONDS: [
    seconds(1, 600),
    '30',
    'How long it may take to find out what a user may do, in seconds. Then, and at the next three, it is a fault of ours.',
  ],
  GITMOUTH_MAX_PROVISION_SECONDS: [
    seconds(1, 3600),
    '120',
    'How long it may take in all until a dyno is there, in seconds.',
  ],
  GITMOUTH_MAX_CONNECT_SECONDS: [
    seconds(1, 600),
    '60',
    'How long it may take in all until the way into the dyno is open, in seconds.',
  ],
  GITMOUTH_MAX_FIRST_BYTE_SECONDS: [
    seconds(0, 3600),
    '60',
    "From then on, how long until git's first byte, in seconds; 0 for as long as it takes.",
  ],
  GITMOUTH_MAX_SESSION_SECONDS: [
    seconds(0, 7 * DAY_SECONDS),
    '3600',
    'From a request to its end, with all it waits for, in seconds; 0 for no end. A platform may narrow it.',
  ],
  GITMOUTH_STALL_PAUSE_SECONDS: [
    seconds(0, DAY_SECONDS),
    '10',
    'When a client has taken nothing of what waits for it for so long, its dyno is stopped until it does, in seconds; 0 for never.',
  ],
  GITMOUTH_STALL_SECONDS: [
    seconds(0, DAY_SECONDS),
    '600',
    'When a client has taken nothing of what waits for it for so long, its session is ended, in seconds; 0 for never.',
  ],
  GITMOUTH_SILENCE_NOTICE_SECONDS: [
    seconds(0, DAY_SECONDS),
    '60',
    'How often a user is told that a command still runs of which nothing is heard, in seconds; 0 for never.',
  ],
} as const;

export type PhaseSetting = keyof typeof PHASE_SETTINGS;

type PhaseLimits = Omit<TimeLimits, 'drainMs' | 'terminateGraceMs' | 'lockWaitMs' | 'lookupCacheMs'>;

/** @param problem told of what is wrong with the values together. */
export function readPhases(must: (name: PhaseSetting) => number, problem: (text: string) => void): PhaseLimits {
  const limits: PhaseLimits = {
    authorizeMs: must('GITMOUTH_MAX_AUTHORIZE_SECONDS'),
    provisionMs: must('GITMOUTH_MAX_PROVISION_SECONDS'),
    connectMs: must('GITMOUTH_MAX_CONNECT_SECONDS'),
    firstByteMs: must('GITMOUTH_MAX_FIRST_BYTE_SECONDS'),
    sessionMs: must('GITMOUTH_MAX_SESSION_SECONDS'),
    stallPauseMs: must('GITMOUTH_STALL_PAUSE_SECONDS'),
    stallEndMs: must('GITMOUTH_STALL_SECONDS'),
    silenceNoticeMs: must('GITMOUTH_SILENCE_NOTICE_SECONDS'),
  };
  if (limits.stallEndMs > 0 && limits.stallPauseMs > limits.stallEndMs) {
    const pause = limits.stallPauseMs / 1000;
    const end = limits.stallEndMs / 1000;
    problem(`GITMOUTH_STALL_PAUSE_SECONDS must be at most GITMOUTH_STALL_SECONDS, which is ${end}; it is '${pause}'`);
  }
  return limits;
}
