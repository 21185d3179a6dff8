import { MemoryClock, MemoryPenalties, MemoryRateLimiter } from '../../../src/adapters/memory/index.js';
import { penaltiesContract } from '../../../src/contracts/penalties.js';
import { rateLimiterContract } from '../../../src/contracts/rate-limiter.js';
import { Fault } from '../../../src/domain/fault.js';
import type { Penalty } from '../../../src/domain/penalty-policy.js';
import { runContract } from '../../support/contract.js';

const MOST = 10;

runContract(
  'the memory penalties',
  penaltiesContract(async () => {
    const clock = new MemoryClock();
    const kept = new Map<string, Penalty>();
    const one = new MemoryPenalties(clock, kept, MOST);
    return {
      one,
      other: new MemoryPenalties(clock, kept, MOST),
      most: MOST,
      now: () => clock.now(),
      pass: (ms: number) => clock.advance(ms),
      kept: async () => kept.size,
      breakDown: async () => {
        one.trouble.failWith(new Fault('GM_UNAVAILABLE', 'identify', 'away'));
      },
      close: async () => undefined,
    };
  }),
);

runContract(
  'the memory rate limiter',
  rateLimiterContract(async () => {
    const one = new MemoryRateLimiter();
    return {
      one,
      other: one,
      breakDown: async () => {
        one.trouble.failWith(new Fault('GM_UNAVAILABLE', 'authorize', 'away'));
      },
      close: async () => undefined,
    };
  }),
);
