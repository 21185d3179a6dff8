import { expect, test } from '@jest/globals';
import { casesOf } from '../../src/contracts/contract.js';

/** A harness as a class, whose methods need their object. */
class Counting {
  static closed = 0;
  #count = 0;

  add(): number {
    return ++this.#count;
  }

  async close(): Promise<void> {
    Counting.closed += this.#count;
  }
}

test('a contract runs on a harness that is an object of a class, and closes it whatever happens', async () => {
  const seen: number[] = [];
  const cases = casesOf<Counting>(
    async () => new Counting(),
    [],
    [
      { name: 'taken out', run: async ({ add }) => void seen.push(add(), add()) },
      {
        name: 'failing',
        run: async ({ add }) => {
          add();
          throw new Error('as it must');
        },
      },
    ],
  );
  await cases[0]?.run();
  await expect(cases[1]?.run()).rejects.toThrow('as it must');
  expect(seen).toEqual([1, 2]);
  expect(Counting.closed).toBe(3);
});
