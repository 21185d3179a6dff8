/** What /proc tells of processes that live shorter than it takes to read all of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { isDead, listProcesses } from '../../../src/adapters/process/process-table.js';
import { line } from '../../../src/contracts/dyno-driver.js';
import { until } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';

const LOOKS = 200;
/** Each makes the next one, and is gone. */
const CHAIN = '$| = 1; print "ready\\n"; while (! -e "stop") { exit if fork }';

const { test } = needs('perl');

test('a chain of them is seen at each look', async () => {
  const folder = temporaryFolder('chain');
  const leader = spawn('setsid', ['perl', '-e', CHAIN], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(leader, 'exit');
  const members = () => listProcesses().filter((entry) => entry.session === leader.pid && !isDead(entry));
  try {
    await line(leader.stdout, 'ready');
    await ended;
    let missed = 0;
    for (let look = 0; look < LOOKS; look++) if (members().length === 0) missed++;
    expect(missed).toBe(0);
  } finally {
    writeFileSync(join(folder, 'stop'), '');
    await until(() => members().length === 0, 'the chain is over');
  }
});
