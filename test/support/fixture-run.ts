/** Runs fixtures (test files that misbehave on purpose) in a Jest of their own and tells what became of each. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { temporaryFolder } from './temporary.js';

const ROOT = join(import.meta.dirname, '../..');

export interface FixtureRun {
  readonly status: number;
  readonly stdout: string;
  readonly files: ReadonlyMap<string, { readonly status: string; readonly message: string }>;
  readonly tests: readonly { readonly name: string; readonly status: string; readonly message: string }[];
}

interface JestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { title: string; status: string; failureMessages: string[] }[];
  }[];
}

export async function runFixtures(pattern: string, environment: Record<string, string> = {}): Promise<FixtureRun> {
  const report = join(temporaryFolder('fixtures'), 'report.json');
  const jest = spawn(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
      ...['--config', 'test/support/fixtures/jest.config.mjs', '--json', '--outputFile', report, pattern],
    ],
    // One of --json's two outputs suffices: the file.
    { cwd: ROOT, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const [stdout, [status]] = await Promise.all([text(jest.stdout), once(jest, 'close') as Promise<[number]>]);
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as JestReport;
  return {
    status,
    stdout,
    files: new Map(testResults.map(({ name, ...rest }) => [basename(name, '.fixture.ts'), rest])),
    tests: testResults
      .flatMap((file) => file.assertionResults)
      .map((test) => ({ name: test.title, status: test.status, message: test.failureMessages.join('\n') })),
  };
}
