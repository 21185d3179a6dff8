/**
 * Whatever a client sends, the door stands: nothing is thrown, nothing is left, nothing grows, nobody is let in, and
 * others are served. The seed is printed; GITMOUTH_FUZZ_SEED gives it back. GITMOUTH_SOAK makes it ten times as many.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { figure, mebibytes } from '../../../support/figures.js';
import { usedBytes } from '../../../support/garbage.js';
import { conversation, hold } from './conversations.js';
import { FuzzGround } from './fuzz-ground.js';
import { INPUTS, LIMIT_MS, SEED } from './plan.js';
import { record, type Recording } from './recording.js';
import { replay, tampered } from './tampering.js';

/** What is sent side by side before a look at the server. */
const CONVERSATIONS = 8;
const SESSIONS = 24;
/** As many runs as one of fast-check's: its first inputs of each are small. */
const RUNS = 25;
/** What Node and Jest keep by and by; half of a run is 5,000 inputs, of which 1 KiB each would be seen. */
const SLACK_BYTES = 4 * 1024 ** 2;

describe('a server that is sent nonsense', () => {
  let ground: FuzzGround;
  let recording: Recording;

  beforeAll(async () => {
    process.stdout.write(`fuzz: ${INPUTS} inputs, GITMOUTH_FUZZ_SEED=${SEED}\n`);
    ground = await FuzzGround.open();
    recording = await record(ground);
    await ground.expectWell();
  });

  afterAll(() => ground.close());

  /**
   * Tries inputs until it is enough; the memory in use at the half is what that at the end is held against.
   * @param attempt resolves with how many inputs there were in one.
   */
  async function fuzz<T>(what: string, enough: number, some: fc.Arbitrary<T[]>, attempt: (one: T) => Promise<number>) {
    let inputs = 0;
    let half: number | undefined;
    const property = fc.asyncProperty(some, async (all) => {
      const counts = await ground.together(all.map(attempt));
      await ground.expectWell();
      inputs += counts.reduce((sum, count) => sum + count, 0);
    });
    for (let seed = SEED; inputs < enough; seed += 1) {
      if (half === undefined && inputs >= enough / 2) half = await usedBytes();
      await fc.assert(property, { seed, numRuns: RUNS });
    }
    const growth = (await usedBytes()) - (half ?? NaN);
    const told = `${inputs} inputs, seed ${SEED}; the memory in use grew by ${mebibytes(growth)} in the second half`;
    process.stdout.write(`fuzz: ${what}: ${told}\n`);
    figure(`fuzzing by ${what}`, told);
    expect(growth).toBeLessThan(SLACK_BYTES);
  }

  test(
    'by messages made up in every state goes on serving',
    async () => {
      const some = fc.array(conversation, { minLength: 1, maxLength: CONVERSATIONS });
      await fuzz('messages made up', INPUTS * 0.7, some, async (one) => {
        await hold(one, ground);
        return one.inputs.length;
      });
    },
    LIMIT_MS,
  );

  test(
    'by good sessions tampered with goes on serving',
    async () => {
      const some = fc.array(tampered, { minLength: 1, maxLength: SESSIONS, size: 'max' });
      await fuzz('good sessions tampered with', INPUTS * 0.3, some, async (one) => {
        await replay(one, recording, ground);
        return 1;
      });
    },
    LIMIT_MS,
  );
});
