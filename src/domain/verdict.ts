import type { DynoExit, SignalName } from './dyno.js';
import { isFault, type Fault } from './fault.js';
import type { AppAccess } from './grant.js';
import { isPartial, type SelfReport } from './question.js';
import type { Refusal } from './refusal.js';
import type { EndReason } from './session-end.js';
import type { Caller } from './session.js';
import { endedLines } from './words/ended.js';
import { bugLines, faultLines } from './words/fault.js';
import { greetingWords } from './words/greeting.js';
import { marked } from './words/lines.js';
import { refusalLines, whoLine } from './words/refusal.js';
import { reportWords } from './words/self-report.js';

/** How serving one request came out. */
export type Outcome =
  /** Git ran and ended by itself: its status passes unchanged. */
  | { readonly kind: 'ran'; readonly exit: DynoExit }
  | { readonly kind: 'greeted'; readonly apps?: readonly AppAccess[] | undefined }
  | { readonly kind: 'answered'; readonly report: SelfReport }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'faulted'; readonly fault: Fault }
  | { readonly kind: 'ended'; readonly reason: EndReason }
  /** A bug of ours: contained in this session. */
  | { readonly kind: 'crashed'; readonly error: unknown };

/** What the client is told: words, then an exit status or signal. 0 only where git said so, or a question was answered. */
export interface Verdict {
  /** For its standard error. */
  readonly words: string;
  /** For its standard output, before: the answer to what was asked of this door itself. */
  readonly answer?: string;
  readonly exit: { readonly code: number } | { readonly signal: SignalName };
}

/** GitHub's: a greeting is not a success. */
const EXIT_GREETED = 1;
const EXIT_REFUSED = 1;
/** The original's, for "Unable to contact build server". */
const EXIT_FAULT = 127;

/** Turns an outcome into words and numbers; the only place that does. */
export function verdictOf(outcome: Outcome, caller: Caller, sessionId: string): Verdict {
  const who = whoLine(caller, sessionId);
  switch (outcome.kind) {
    case 'ran':
      return {
        words: '',
        exit: outcome.exit.kind === 'code' ? { code: outcome.exit.code } : { signal: outcome.exit.signal },
      };
    case 'greeted':
      return { words: greetingWords(caller, outcome.apps), exit: { code: EXIT_GREETED } };
    case 'answered':
      return { words: '', answer: reportWords(outcome.report), exit: { code: exitOf(outcome.report) } };
    case 'refused':
      return { words: marked(...refusalLines(outcome.refusal), who), exit: { code: EXIT_REFUSED } };
    case 'faulted':
      return { words: marked(...faultLines(outcome.fault), who), exit: { code: EXIT_FAULT } };
    case 'ended':
      return { words: endedWords(outcome.reason, who), exit: { signal: 'TERM' } };
    case 'crashed':
      return { words: marked(...bugLines(), who), exit: { code: EXIT_FAULT } };
    default:
      return outcome satisfies never;
  }
}

/** As a push would end now, by what is known of it without one. */
function exitOf(report: SelfReport): number {
  if (report.refusal !== undefined) return EXIT_REFUSED;
  return isPartial(report) ? EXIT_FAULT : 0;
}

/** Nothing for a client who has left. */
function endedWords(reason: EndReason, who: string): string {
  const lines = endedLines(reason);
  return lines.length === 0 ? '' : marked(...lines, who);
}

/** A fault stays one; anything else thrown is a bug. */
export function outcomeOfError(error: unknown): Outcome {
  return isFault(error) ? { kind: 'faulted', fault: error } : { kind: 'crashed', error };
}

/** One word for logs and metrics: closed, and never from a client. */
export function verdictLabel(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'ran':
      return outcome.exit.kind === 'code' ? `exit-${outcome.exit.code}` : `signal-${outcome.exit.signal}`;
    case 'greeted':
      return 'greeted';
    case 'answered':
      return `answered-${outcome.report.question}`;
    case 'refused':
      return `refused-${outcome.refusal.kind}`;
    case 'faulted':
      return `fault-${outcome.fault.code}`;
    case 'ended':
      return `ended-${outcome.reason}`;
    case 'crashed':
      return 'crashed';
  }
}
