import { expect, test } from '@jest/globals';
import { MemoryClock, MemoryObserver } from '../../src/adapters/memory/index.js';
import { LenientState } from '../../src/app/lenient-state.js';

test('a state that was away is asked again after its pause, also where the time of day was set back meanwhile', async () => {
  const clock = new MemoryClock();
  const state = new LenientState(clock, new MemoryObserver());
  const ask = (answer: () => Promise<string>) => state.ask(answer);
  expect(await ask(() => Promise.reject(new Error('away')))).toBeUndefined();
  clock.set(clock.now() - 3_600_000);
  expect(await ask(async () => 'here')).toBeUndefined();
  await clock.advance(1_000);
  expect(await ask(async () => 'here')).toBe('here');
});
