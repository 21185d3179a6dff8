import { printable } from './printable.js';

/** The longest line of ours, with names of any platform in it. */
const LONGEST_LINE = 1000;

/**
 * Heroku's form: what the door itself says stands apart from what git and the hooks say. Ends with a line end.
 * Whatever names a line quotes, it stays one line and moves no cursor.
 */
export function marked(...lines: readonly string[]): string {
  return lines.map((line) => ` !     ${printable(line, LONGEST_LINE)}\n`).join('');
}

/** What a platform says to its user may have so many lines. */
const MOST_LINES = 20;

/** A platform's own words, line by line and without the empty ones; what is too much is cut. */
export function platformLines(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return lines.length <= MOST_LINES ? lines : [...lines.slice(0, MOST_LINES), '…'];
}

/** A platform's notice, in the form of what the door itself says. */
export function platformWords(text: string): string {
  return marked(...platformLines(text));
}

/** `1 second`, `90 seconds`, `2 minutes`: whole units, for people. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}

/** `2026-11-24 05:30:00 UTC`, from milliseconds since the epoch; computed without a clock or a locale. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `Try again in 40 seconds.`: never too soon, as `duration` may be. */
export function tryAgainIn(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const whole = seconds < 120 ? seconds : Math.ceil(seconds / 60) * 60;
  return `Try again in ${duration(whole * 1000)}.`;
}
