/** The domain's own tsconfig.json makes every way out of it a type error. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT, runTool, scratchTree } from './scratch.js';

/** What the domain must not know, by a name for its probe. */
const PROBES = {
  Buffer: "export const blob = Buffer.from('');",
  process: 'export const id = process.pid;',
  setTimeout: 'setTimeout(() => undefined, 1);',
  console: "console.log('');",
  URL: "export const url = new URL('ssh://host/app.git');",
  fetch: "export const answer = fetch('');",
  AbortSignal: 'export const signal = AbortSignal.timeout(1);',
  crypto: 'export const id = crypto.randomUUID();',
  document: 'export const title = document.title;',
  'node-import': "import { join } from 'node:path'; export const path = join('');",
  'node-type': "import type { Readable } from 'node:stream'; export type R = Readable;",
  'port-import': "import type { Clock } from '../ports/clock.js'; export type C = Clock;",
} as const;

const COMPILER = 'typescript/bin/tsc';
const OPTIONS = ['-p', 'src/domain/tsconfig.json', '--noEmit', '--pretty', 'false'] as const;

describe("the domain's fence", () => {
  let errors: readonly string[];

  beforeAll(async () => {
    const planted = Object.entries(PROBES).map(([name, source]) => [
      `src/domain/probe-${name}.ts`,
      `${source}\nexport {};\n`,
    ]);
    const tree = scratchTree(['src/domain', 'src/ports'], Object.fromEntries(planted) as Record<string, string>);
    errors = (await runTool(tree, COMPILER, ...OPTIONS)).stdout.split('\n').filter((line) => line.includes('error TS'));
  });

  test.each(Object.keys(PROBES))('stops %s', (name) => {
    expect(errors).toContainEqual(expect.stringMatching(`^src/domain/probe-${name}\\.ts\\(`));
  });

  test('stops nothing else', () => {
    // The imported port is drawn in too, and complained of on its own account.
    expect(errors.filter((line) => !/^src\/(domain\/probe-|ports\/)/.test(line))).toEqual([]);
  });

  test('lets the domain pass as it is, all of which was looked at', async () => {
    expect(await runTool(ROOT, COMPILER, ...OPTIONS)).toEqual({ status: 0, stdout: '', stderr: '' });
    const { stdout } = await runTool(ROOT, COMPILER, ...OPTIONS, '--listFilesOnly');
    expect(stdout.split('\n').filter((line) => line.includes('/src/domain/')).length).toBeGreaterThan(15);
  });
});
