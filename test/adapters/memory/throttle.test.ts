import { MemoryThrottle } from '../../../src/adapters/memory/index.js';
import { throttleContract } from '../../../src/contracts/throttle.js';
import { runContract } from '../../support/contract.js';

runContract(
  'the memory throttle',
  throttleContract(async () => {
    const taken = new Map<string, number>();
    return {
      one: new MemoryThrottle(taken),
      other: new MemoryThrottle(taken),
      kept: async () => taken.size,
      close: async () => undefined,
    };
  }),
);
