/** A job without a sandbox after its end, when the number of its session may have become a stranger's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startChild } from '../../../src/adapters/process/child.js';
import { readProcess } from '../../../src/adapters/process/process-table.js';
import { UnsandboxedProcess } from '../../../src/adapters/process/unsandboxed-process.js';
import { until } from '../../../src/contracts/contract.js';
import { temporaryFolder } from '../../support/temporary.js';
import { stateOf } from './process-watch.js';

test('stops nobody who has been given its number', async () => {
  const folder = temporaryFolder('ended');
  // Leads a session of its own only when it is told to: until then the number is no session's.
  const stranger = spawn('sh', ['-c', 'read go; exec setsid sleep 60'], { stdio: ['pipe', 'ignore', 'inherit'] });
  const gone = once(stranger, 'exit');
  const pid = stranger.pid ?? -1;
  try {
    const options = { cwd: folder, environment: {}, extraPipes: 0, withhold: [] };
    const child = startChild('/bin/true', [], options);
    const process = Object.create(child.process, { pid: { value: pid } }) as typeof child.process;
    const job = new UnsandboxedProcess({ ...child, process }, join(folder, 'home'));
    await job.exit;
    await sleep(1_000);
    stranger.stdin.write('go\n');
    await until(() => readProcess(pid)?.session === pid, 'the number is a session');
    job.pause();
    await sleep(200);
    expect(stateOf(pid)).toBe('S');
    await job.kill();
    expect(stateOf(pid)).toBe('S');
  } finally {
    stranger.kill('SIGKILL');
    await gone;
  }
});
