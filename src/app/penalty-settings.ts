/** The settings of what is done about those who do wrong again and again: the rules of domain/penalty-policy. */
import { z } from 'zod';
import type { PenaltyRules } from '../domain/penalty-policy.js';
import { printable } from '../domain/words/printable.js';
import { isExemption } from './exemptions.js';
import { onOff, seconds, whole } from './setting-checks.js';

/** Long enough for a week's pause, which is no pause any more. */
const LONGEST_S = 604_800;
const offence = seconds(0, LONGEST_S);

const exempt = z.string().transform((text, context) => {
  const all = text.split(',').map((one) => one.trim());
  const wrong = all.find((one) => !isExemption(one));
  if (wrong === undefined) return all;
  context.addIssue(
    `must be addresses, networks (192.0.2.0/24, 2001:db8::/32) and user:NAME, with commas between; '${printable(wrong, 80)}' is none`,
  );
  return z.NEVER;
});

export const PENALTY_SETTINGS = {
  GITMOUTH_PENALTIES: [
    onOff,
    'on',
    'Whether penalties are held against who fails again and again: an address has fewer tries then, a key or user has to pause.',
  ],
  GITMOUTH_PENALTY_MIN_SECONDS: [
    seconds(0, LONGEST_S),
    '15',
    'From how much on penalties are enforced, in seconds; what was added up runs off with time.',
  ],
  GITMOUTH_PENALTY_MAX_SECONDS: [seconds(1, LONGEST_S), '600', 'How long penalties may last at most, in seconds.'],
  GITMOUTH_PENALTY_FAILED_LOGIN_SECONDS: [offence, '5', 'Penalty of an address for each failed log-in, in seconds.'],
  GITMOUTH_PENALTY_NO_LOGIN_SECONDS: [
    offence,
    '1',
    'Penalty of an address for a connection that offered keys and ended without a log-in, in seconds.',
  ],
  GITMOUTH_PENALTY_LATE_LOGIN_SECONDS: [
    offence,
    '10',
    'Penalty of an address for a connection that did not log in in time, in seconds.',
  ],
  GITMOUTH_PENALTY_BROKEN_PROTOCOL_SECONDS: [
    offence,
    '10',
    'Penalty of an address for a connection that broke the protocol before a log-in, in seconds.',
  ],
  GITMOUTH_PENALTY_NO_ACCESS_SECONDS: [
    offence,
    '2',
    'Penalty of a key, and half of it of its user unless it is a deploy key, for a request for an app they may not use, in seconds.',
  ],
  GITMOUTH_PENALTY_TOO_FAST_SECONDS: [
    offence,
    '5',
    'Penalty of a key, and half of it of its user unless it is a deploy key, for a session beyond GITMOUTH_SESSIONS_PER_MINUTE, in seconds.',
  ],
  GITMOUTH_PENALTY_EXEMPT: [
    exempt,
    '',
    'Addresses, networks and users that none of this is for: `192.0.2.7,2001:db8::/32,user:ci`.',
  ],
  GITMOUTH_SESSIONS_PER_MINUTE: [
    whole(0, 1_000_000),
    '600',
    'Sessions that one user may begin on one app in a minute; 0 for any number.',
  ],
} as const;

type Settings = typeof PENALTY_SETTINGS;
type Read = <N extends keyof Settings>(name: N) => z.output<Settings[N][0]>;

export interface PenaltySource {
  readonly must: Read;
  readonly read: (name: 'GITMOUTH_PENALTY_EXEMPT') => readonly string[] | undefined;
  readonly problem: (text: string) => void;
}

export function readPenalties({ must, read, problem }: PenaltySource): PenaltyRules {
  const rules: PenaltyRules = {
    isOn: must('GITMOUTH_PENALTIES'),
    minMs: must('GITMOUTH_PENALTY_MIN_SECONDS'),
    maxMs: must('GITMOUTH_PENALTY_MAX_SECONDS'),
    offencesMs: {
      'failed-login': must('GITMOUTH_PENALTY_FAILED_LOGIN_SECONDS'),
      'no-login': must('GITMOUTH_PENALTY_NO_LOGIN_SECONDS'),
      'late-login': must('GITMOUTH_PENALTY_LATE_LOGIN_SECONDS'),
      'broken-protocol': must('GITMOUTH_PENALTY_BROKEN_PROTOCOL_SECONDS'),
      'no-access': must('GITMOUTH_PENALTY_NO_ACCESS_SECONDS'),
      'too-fast': must('GITMOUTH_PENALTY_TOO_FAST_SECONDS'),
    },
    sessionsPerMinute: must('GITMOUTH_SESSIONS_PER_MINUTE'),
    exempt: read('GITMOUTH_PENALTY_EXEMPT') ?? [],
  };
  if (rules.minMs > rules.maxMs) {
    problem(
      `GITMOUTH_PENALTY_MIN_SECONDS must be at most GITMOUTH_PENALTY_MAX_SECONDS, which is ${rules.maxMs / 1000}; it is '${rules.minMs / 1000}'`,
    );
  }
  return rules;
}
