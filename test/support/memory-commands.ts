/** The scripts of the transport contract, as commands of the memory transport. */
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import type { MemoryCommand, MemoryProcess } from '../../src/adapters/memory/index.js';
import type { Script } from '../../src/contracts/dyno-scripts.js';

export const echo: MemoryCommand = async ({ stdin, stdout }) => {
  await pipeline(stdin, stdout);
  return 0;
};

export const sleepUntilSignalled: MemoryCommand = async ({ stdout, ended }) => {
  stdout.write('ready\n');
  await once(ended, 'abort');
  return 0;
};

export function exitWith(code: number): MemoryCommand {
  return async () => code;
}

/** Writes `x` for so many bytes, or for ever, each chunk when the one before was taken. */
function write(bytes: number, to: 'stdout' | 'stderr', code: number): MemoryCommand {
  return async (process) => {
    const chunk = Buffer.alloc(Math.min(bytes, 64 * 1024), 'x');
    for (let left = bytes; left > 0; left -= chunk.length) await taken(process[to], chunk.subarray(0, left));
    return code;
  };
}

function taken(stream: MemoryProcess['stdout'], chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => stream.write(chunk, (error) => (error ? reject(error) : resolve())));
}

const count: MemoryCommand = async ({ stdin, stdout }) => {
  let bytes = 0;
  for await (const chunk of stdin) bytes += (chunk as Buffer).length;
  stdout.write(`${bytes}\n`);
  return 0;
};

const both: MemoryCommand = async ({ stdout, stderr }) => {
  stdout.write('out');
  stderr.write('err');
  return 0;
};

const trap: MemoryCommand = ({ stdout, trap: handle }) =>
  new Promise((resolve) => {
    handle((name) => {
      stdout.write(`${name}\n`);
      resolve(7);
    });
    stdout.write('ready\n');
  });

const ignoreTerm: MemoryCommand = async (process) => {
  process.trap(() => undefined);
  return sleepUntilSignalled(process);
};

export function commandFor(script: Script): MemoryCommand {
  switch (script.kind) {
    case 'echo':
      return echo;
    case 'exit':
      return exitWith(script.code);
    case 'die':
      return async (process) => {
        process.die(script.signal);
        return 0;
      };
    case 'both':
      return both;
    case 'write':
      return write(script.bytes, script.to, script.code);
    case 'flood':
      return write(Infinity, 'stdout', 0);
    case 'count':
      return count;
    case 'sleep':
      return sleepUntilSignalled;
    case 'trap':
      return trap;
    case 'ignore-term':
      return ignoreTerm;
    case 'leave-behind':
      throw new Error('a function that has returned leaves nothing running that could be ended');
  }
}
