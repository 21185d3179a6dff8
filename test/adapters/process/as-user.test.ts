/** Run by root, the other tests of this folder show a root server; here they run once more, as those of a mere user. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { isRoot } from './ground.js';

const USER = '12345';
const FILES = ['process-transport', 'confinement', 'run', 'endurance'];
const ROOT = join(import.meta.dirname, '../../..');
/** They take half a minute on an idle machine. */
const LIMIT_MS = 600_000;
/** Node closes low descriptors that it inherits; this one it would pass on (see inherited-descriptors). */
const LEFT_OPEN = 20;

interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly testResults: readonly { readonly name: string; readonly message: string }[];
}

const { test: asRoot } = needs('bwrap', 'prlimit', 'git', 'perl');

(isRoot ? asRoot : test.skip)(
  "a user's server keeps all of it too, and lets no folder left open by its supervisor into a dyno",
  async () => {
    const folder = temporaryFolder('user');
    chmodSync(folder, 0o1777);
    // The checkout may lie below a folder that is closed to the user: it is laid open at another place.
    const script = `set -e
      mount -n --bind "$1" /mnt; mount -n -t tmpfs -o mode=1777 none /mnt/node_modules/.cache 2>/dev/null || true
      cd /mnt; shift; exec setpriv --reuid ${USER} --regid ${USER} --clear-groups -- "$@"`;
    const jest = [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
    ];
    const report = join(folder, 'report.json');
    const options = ['--cacheDirectory', join(folder, 'cache'), '--json', '--outputFile', report, '--maxWorkers', '1'];
    const files = FILES.map((name) => `test/adapters/process/${name}\\.test\\.ts$`);
    const machine = openSync('/', 'r');
    const stdio = [...Array.from({ length: LEFT_OPEN }, () => 'ignore' as const), machine];
    const child = spawn(
      'unshare',
      ['--mount', '--', 'sh', '-c', script, 'sh', ROOT, process.execPath, ...jest, ...options, ...files],
      { env: { ...process.env, HOME: '/', TMPDIR: folder }, stdio },
    );
    closeSync(machine);
    try {
      await once(child, 'close', { signal: AbortSignal.timeout(LIMIT_MS) });
    } finally {
      child.kill('SIGKILL');
    }
    const { success, numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    expect(testResults.map(({ message }) => message.trim()).join('')).toBe('');
    expect(success).toBe(true);
    expect(testResults).toHaveLength(FILES.length);
    expect(numPassedTests).toBeGreaterThan(110);
  },
  LIMIT_MS + 30_000,
);
