import type { Offence } from '../penalty-policy.js';

/** What was done too often, as the end of a sentence. */
export function tooOften(offence: Offence): string {
  switch (offence) {
    case 'failed-login':
      return 'too many log-ins failed';
    case 'no-login':
      return 'too many connections ended without a log-in';
    case 'late-login':
      return 'too many connections did not log in in time';
    case 'broken-protocol':
      return 'too many connections broke the protocol';
    case 'no-access':
      return 'too many requests named apps that you may not use, or that do not exist';
    case 'too-fast':
      return 'too many commands were begun within a minute';
  }
}
