/** How many inputs a run tries, and the seed that makes the same ones again. */
import { randomInt } from 'node:crypto';

const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';

/** An input is one sequence of messages, or one recorded session that was tampered with. */
export const INPUTS = IS_SOAK ? 100_000 : 10_000;

export const LIMIT_MS = IS_SOAK ? 3_600_000 : 240_000;

export const SEED = seedFrom(process.env['GITMOUTH_FUZZ_SEED']);

function seedFrom(text: string | undefined): number {
  if (text === undefined || text === '') return randomInt(2 ** 31);
  const seed = Number(text);
  if (!Number.isSafeInteger(seed)) throw new Error(`GITMOUTH_FUZZ_SEED must be a whole number; it is '${text}'`);
  return seed;
}
