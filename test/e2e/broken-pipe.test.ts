import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { test } = needs('git');

const PROGRAM = join(import.meta.dirname, '../../dist/app/main.js');

// Writing to a closed standard error is an error event, which was an uncaught exception, which was told on standard
// error: a server that span for ever and heeded no signal.
test('a server whose output nobody reads any more still ends when it is told to', async () => {
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: temporaryFolder('home'),
      GITMOUTH_DATA: join(temporaryFolder('door'), 'data'),
      GITMOUTH_LISTEN: '127.0.0.1:0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  try {
    let said = '';
    for await (const text of child.stderr.setEncoding('utf8')) {
      said += String(text);
      if (said.includes('There is no user yet')) break;
    }
    child.stdout.destroy();
    child.stderr.destroy();
    child.kill('SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const [code, signal] = (await ended) as [number | null, string | null];
    clearTimeout(limit);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
});
