/**
 * The order of test files on two workers: those that take more than half a minute come first, so that none of them is
 * begun when all else has ended. Jest itself goes by what it remembers, and a machine that is new to the tests remembers
 * nothing.
 */
import { statSync } from 'node:fs';

/** The longest first. */
const LONG = [
  'e2e/kill-rounds',
  'adapters/ssh2/fuzz/',
  'clients/matrix',
  'e2e/load/churn',
  'e2e/under-attack',
  'adapters/process/as-user',
  'e2e/push-and-fetch',
  'e2e/aborts',
  'e2e/drain',
  'e2e/load/readers',
  'clients/rekey',
];

export default class LongestFirst {
  sort(tests) {
    const rank = ({ path }) => {
      const index = LONG.findIndex((part) => path.includes(`/test/${part}`));
      return index < 0 ? LONG.length : index;
    };
    const size = new Map(tests.map((test) => [test, statSync(test.path).size]));
    return [...tests].sort((one, other) => rank(one) - rank(other) || size.get(other) - size.get(one));
  }

  cacheResults() {
    // What one run took is no guide for the next: the machine may be another.
  }
}
