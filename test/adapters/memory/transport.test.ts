import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from '@jest/globals';
import { MemoryTransport, type MemoryCommand } from '../../../src/adapters/memory/index.js';
import { SystemClock } from '../../../src/adapters/system/clock.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import { never } from '../../../src/contracts/contract.js';
import { read } from '../../../src/contracts/dyno-driver.js';
import { transportContract } from '../../../src/contracts/transport.js';
import { runContract } from '../../support/contract.js';
import { LONG_STREAM_LIMIT_MS, LONG_STREAM_SAYS, passLongStream } from '../../support/long-stream.js';
import { commandFor } from '../../support/memory-commands.js';

const GRACE_MS = 50;
const LINK = { kind: 'memory' } as const;

runContract(
  'the memory transport',
  transportContract(async () => {
    const commands = new Map<string, MemoryCommand>();
    const transport = new MemoryTransport(({ id }) => commands.get(id), new SystemClock(), GRACE_MS);
    return {
      transport,
      async dynoRunning(script): Promise<Dyno> {
        const id = `dyno-${commands.size + 1}`;
        commands.set(id, commandFor(script));
        return { id, link: LINK };
      },
      setGrace: (ms) => (transport.graceMs = ms),
      running: async () => transport.running(),
      brokenDyno: async () => ({ id: 'unknown', link: LINK }),
      lose: async (dyno) => transport.lose(dyno),
      stall: async () => transport.trouble.stall(),
      close: async () => undefined,
    };
  }, ['leave-behind']),
);

describe('a command in the memory transport', () => {
  const open = (command: MemoryCommand) =>
    new MemoryTransport(() => command, new SystemClock(), GRACE_MS).open({ id: 'dyno-1', link: LINK }, never());

  test('that throws ends with status 1 and its error on standard error', async () => {
    const session = await open(async () => Promise.reject(new Error('fell over')));
    expect((await read(session.stderr)).toString()).toBe('Error: fell over');
    expect(await session.exit).toEqual({ kind: 'code', code: 1 });
  });

  test('that writes on after its end disturbs nobody', async () => {
    let writeOn: () => void = () => undefined;
    const session = await open(async ({ stdout }) => {
      writeOn = () => stdout.write('too late');
      stdout.write('in time');
      return 0;
    });
    await session.exit;
    writeOn();
    expect((await read(session.stdout)).toString()).toBe('in time');
  });
});

test(
  LONG_STREAM_SAYS,
  async () => {
    const echo: MemoryCommand = async ({ stdin, stdout }) => {
      await pipeline(stdin, stdout, { end: false });
      return 0;
    };
    const session = await new MemoryTransport(() => echo, new SystemClock()).open(
      { id: 'dyno-1', link: { kind: 'memory' } },
      never(),
    );
    await passLongStream('through memory', session);
    expect(await session.exit).toEqual({ kind: 'code', code: 0 });
    await session.close();
  },
  LONG_STREAM_LIMIT_MS,
);
