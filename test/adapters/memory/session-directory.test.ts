import { MemoryClock, MemorySessionDirectory, MemorySessionState } from '../../../src/adapters/memory/index.js';
import { sessionDirectoryContract } from '../../../src/contracts/session-directory.js';
import { REPORT_LASTS_MS } from '../../../src/domain/listed-session.js';
import { runContract } from '../../support/contract.js';

runContract(
  'the memory session directory',
  sessionDirectoryContract(async () => {
    const clock = new MemoryClock();
    const state = new MemorySessionState();
    const one = new MemorySessionDirectory(clock, state);
    return {
      one,
      other: new MemorySessionDirectory(clock, state),
      lastsMs: REPORT_LASTS_MS,
      pass: (ms) => clock.advance(ms),
      breakDown: async () => one.trouble.failWith(new Error('down')),
      close: async () => undefined,
    };
  }),
);
