import { MemoryClock, MemorySessionRegistry, MemorySessionState } from '../../../src/adapters/memory/index.js';
import { sessionRegistryContract } from '../../../src/contracts/session-registry.js';
import { REPORT_LASTS_MS } from '../../../src/domain/listed-session.js';
import { runContract } from '../../support/contract.js';

runContract(
  'the memory session registry',
  sessionRegistryContract(async () => {
    const clock = new MemoryClock();
    const state = new MemorySessionState();
    const one = new MemorySessionRegistry(clock, state);
    return {
      one,
      other: new MemorySessionRegistry(clock, state),
      lastsMs: REPORT_LASTS_MS,
      pass: (ms) => clock.advance(ms),
      breakDown: async () => one.trouble.failWith(new Error('down')),
      close: async () => undefined,
    };
  }),
);
