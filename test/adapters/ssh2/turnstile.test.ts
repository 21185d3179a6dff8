import { expect, test } from '@jest/globals';
import { Turnstile } from '../../../src/adapters/ssh2/guard/turnstile.js';

/** What was handled, one entry for each turn of the event loop. */
async function turnsOf(turnstile: Turnstile, pieces: readonly (readonly [string, string])[]): Promise<string[]> {
  const turns: string[] = [];
  let turn = '';
  for (const [source, name] of pieces) turnstile.pass(source, () => (turn += name));
  while (turns.at(-1) !== '') {
    turns.push(turn);
    turn = '';
    await new Promise(setImmediate);
  }
  return turns.slice(0, -1);
}

test('a piece that comes alone is handled at once', () => {
  const turnstile = new Turnstile();
  let isHandled = false;
  turnstile.pass('a', () => (isHandled = true));
  expect(isHandled).toBe(true);
});

test('of many one is handled in each turn, in their order', async () => {
  expect(await turnsOf(new Turnstile(), [['a', '1'], ['a', '2'], ['a', '3']])).toEqual(['1', '2', '3']); // prettier-ignore
});

test('sources have their turns one after the other, however much one of them sends', async () => {
  const flood = Array.from({ length: 5 }, (_, n) => ['attacker', String(n)] as const);
  const turns = await turnsOf(new Turnstile(), [...flood, ['honest', 'h'], ['other', 'o'], ['honest', 'i']]);
  expect(turns).toEqual(['0', '1', 'h', 'o', '2', 'i', '3', '4']);
});

test('what is handled may send more, which has a turn of its own', async () => {
  const turnstile = new Turnstile();
  const order: string[] = [];
  turnstile.pass('a', () => {
    order.push('first');
    turnstile.pass('a', () => order.push('second'));
  });
  turnstile.pass('b', () => order.push('other'));
  for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
  expect(order).toEqual(['first', 'second', 'other']);
});
