/** Runs contract cases under jest: one test each, and what an adapter lacks is skipped by name. */
import { describe, test } from '@jest/globals';
import type { ContractCase } from '../../src/contracts/contract.js';

export function runContract(subject: string, cases: readonly ContractCase[]): void {
  describe(subject, () => {
    for (const { name, leftOut, run } of cases) {
      if (leftOut === undefined) test(name, run);
      else test.skip(`${name} (left out: this adapter offers no ${leftOut})`, run);
    }
  });
}
