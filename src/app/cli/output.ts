import { printable } from '../../domain/words/printable.js';

const LONGEST_LINE = 4_000;

/** Where a command writes: results on `out`, everything for people on `err`. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

export const terminal: Terminal = {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
};

/** Rows under headings, in columns as wide as their widest cell; `nothing` when there are none. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], nothing: string): string {
  if (rows.length === 0) return nothing;
  const all = [headings, ...rows.map((row) => row.map((cell) => printable(cell)))];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What was given on a command line, or lies in a file, reaches a terminal by messages too. */
export function printableLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line, LONGEST_LINE))
    .join('\n');
}

export function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
