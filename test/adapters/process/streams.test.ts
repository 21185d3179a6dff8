/** Long random streams through a sandboxed process. */
import { expect } from '@jest/globals';
import { ProcessTransport } from '../../../src/adapters/process/process-transport.js';
import { never } from '../../../src/contracts/contract.js';
import { LONG_STREAM_LIMIT_MS, LONG_STREAM_SAYS, passLongStream } from '../../support/long-stream.js';
import { needs } from '../../support/programs.js';
import { bareRepository, bubblewrap } from './ground.js';

const { test } = needs('git', 'bwrap', 'prlimit');

test(
  LONG_STREAM_SAYS,
  async () => {
    const transport = new ProcessTransport({ sandbox: bubblewrap(), graceMs: 1_000, commandOf: () => ['cat'] });
    const plan = { service: 'git-receive-pack', access: 'write', environment: {}, secrets: [] } as const;
    const link = { kind: 'process', repository: bareRepository(), plan } as const;
    const session = await transport.open({ id: 'dyno-1', link }, never());
    await passLongStream('through a sandboxed process', session);
    expect(await session.exit).toEqual({ kind: 'code', code: 0 });
    await session.close();
  },
  LONG_STREAM_LIMIT_MS,
);
