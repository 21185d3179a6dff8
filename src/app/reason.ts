import { printable } from '../domain/words/printable.js';

const LONGEST_REASON = 1_000;

/** What was thrown by code of others, in a line; and for a mistake in that code, where it is. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error) && !isErrorOfElsewhere(error)) return printable(String(error), LONGEST_REASON);
  const isMistake = /^(Type|Reference|Range|Syntax)Error$/.test(error.name);
  const place = isMistake ? /(?:file:\/\/)?\/[^\s()]+:\d+/.exec(error.stack ?? '')?.[0] : undefined;
  return printable(place === undefined ? error.message : `${error.message} (${place})`, LONGEST_REASON);
}

/** Another realm's errors are no instances of ours. */
function isErrorOfElsewhere(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string';
}
