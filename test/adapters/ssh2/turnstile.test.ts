import { describe, expect, test } from '@jest/globals';
import { Turnstile } from '../../../src/adapters/ssh2/guard/turnstile.js';

/** As a connection does: now, or when its turn comes. */
function pass(turnstile: Turnstile, party: string, handle: () => void): void {
  if (!turnstile.passNow(handle)) turnstile.waitToPass(party, handle);
}

/** What was handled, one entry for each turn of the event loop. */
async function turnsOf(turnstile: Turnstile, pieces: readonly (readonly [string, string])[]): Promise<string[]> {
  const turns: string[] = [];
  let turn = '';
  for (const [party, name] of pieces) pass(turnstile, party, () => (turn += name));
  while (turns.at(-1) !== '') {
    turns.push(turn);
    turn = '';
    await new Promise(setImmediate);
  }
  return turns.slice(0, -1);
}

const turnstile = () => new Turnstile({ hasRests: false });

test('a piece that comes alone is handled at once', () => {
  let isHandled = false;
  expect(turnstile().passNow(() => (isHandled = true))).toBe(true);
  expect(isHandled).toBe(true);
});

test('of many one is handled in each turn, in their order', async () => {
  const pieces = ['1', '2', '3'].map((name) => ['a', name] as const);
  expect(await turnsOf(turnstile(), pieces)).toEqual(['1', '2', '3']);
});

test('parties have their turns one after the other, however much one of them sends', async () => {
  const flood = Array.from({ length: 5 }, (_, n) => ['attacker', String(n)] as const);
  const turns = await turnsOf(turnstile(), [...flood, ['honest', 'h'], ['other', 'o'], ['honest', 'i']]);
  expect(turns).toEqual(['0', '1', 'h', 'o', '2', 'i', '3', '4']);
});

test('what is handled may send more, which has a turn of its own', async () => {
  const shared = turnstile();
  const order: string[] = [];
  pass(shared, 'a', () => {
    order.push('first');
    pass(shared, 'a', () => order.push('second'));
  });
  pass(shared, 'b', () => order.push('other'));
  for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
  expect(order).toEqual(['first', 'second', 'other']);
});

describe('after a piece that took long', () => {
  const LONG_MS = 30;

  /** How long the next one waited, in milliseconds. */
  async function waitAfterLong(hasRests: boolean): Promise<number> {
    const shared = new Turnstile({ hasRests });
    let endedAt = 0;
    shared.passNow(() => {
      const before = process.cpuUsage();
      while (process.cpuUsage(before).user < LONG_MS * 1000);
      endedAt = performance.now();
    });
    await new Promise<void>((resolve) => {
      shared.waitToPass('a', resolve);
    });
    return performance.now() - endedAt;
  }

  test('strangers rest as long', async () => {
    expect(await waitAfterLong(true)).toBeGreaterThan(LONG_MS - 2);
  });

  test('users do not', async () => {
    const waits = [await waitAfterLong(false), await waitAfterLong(false), await waitAfterLong(false)];
    expect(Math.min(...waits)).toBeLessThan(LONG_MS - 2);
  });
});

test('what is thrown holds up nobody else', async () => {
  const shared = turnstile();
  expect(() =>
    shared.passNow(() => {
      throw new Error('a bug');
    }),
  ).toThrow('a bug');
  await new Promise<void>((resolve) => {
    pass(shared, 'a', resolve);
  });
});
