/** What a killed server left of a bubblewrap that was being started. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { endOrphans } from '../../../src/adapters/process/orphans.js';
import { findPrograms } from '../../../src/adapters/process/programs.js';
import { isRunning, readProcess } from '../../../src/adapters/process/process-table.js';
import { until } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';

const { test } = needs('bwrap');
const { bwrap = '' } = findPrograms();
const started: number[] = [];

afterEach(() => {
  for (const pid of started.splice(0)) if (readProcess(pid) !== undefined) process.kill(pid, 'SIGKILL');
});

/** A bubblewrap that waits for its arguments, whose parent has died. */
async function orphan(): Promise<number> {
  const fifo = join(temporaryFolder('orphan'), 'arguments');
  execFileSync('mkfifo', [fifo]);
  // Open for both, it never ends.
  const script = `"${bwrap}" --json-status-fd 1 --args 0 -- true 0<>"${fifo}" & echo $!`;
  const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(shell, 'exit');
  const pid = Number(said.trim());
  started.push(pid);
  await until(() => readProcess(pid)?.parent === 1, 'it has lost its parent');
  return pid;
}

test('is ended at the next start, and what has a parent is not', async () => {
  const lost = readProcess(await orphan());
  const held = spawn(bwrap, ['--json-status-fd', '1', '--args', '0', '--', 'true'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  started.push(held.pid ?? -1);
  expect(endOrphans(bwrap)).toBeGreaterThanOrEqual(1);
  await until(() => lost !== undefined && !isRunning(lost), 'the orphan is gone');
  expect(held.exitCode ?? held.signalCode).toBeNull();
});
