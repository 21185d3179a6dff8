/** What a long run has measured, for its report (scripts/soak.mjs); nothing is written in other runs. */
import { appendFileSync } from 'node:fs';

export function figure(what: string, value: string): void {
  const file = process.env['SOAK_FIGURES'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ what, value })}\n`);
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
