/** What the linter alone keeps out, each with a violation that it must name, and with what it must let pass. */
import { relative } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { runTool, scratchTree } from './scratch.js';

interface Probe {
  readonly rule: string;
  readonly file: string;
  readonly source: string;
}

const ENVIRONMENT = 'no-restricted-properties';
const SYNTAX = 'no-restricted-syntax';
const TYPED = '@typescript-eslint/';

const PROBES: readonly Probe[] = [
  probe(ENVIRONMENT, 'src/adapters/process/env-dot', 'export const home = process.env.HOME;'),
  probe(ENVIRONMENT, 'src/app/cli/env-index', "export const all = process['env'];"),
  probe(ENVIRONMENT, 'src/app/main', 'export const { env } = process;'),
  probe('no-restricted-imports', 'src/app/env-import', "import { env } from 'node:process'; export const all = env;"),
  probe(SYNTAX, 'src/app/env-roundabout', 'export const all = globalThis.process.env;'),
  probe(ENVIRONMENT, 'src/domain/clock', 'export const now = Date.now();'),
  probe(ENVIRONMENT, 'src/ports/clock-now', 'export const now = Date.now();'),
  probe(ENVIRONMENT, 'src/domain/chance', 'export const chance = Math.random();'),
  probe(SYNTAX, 'src/domain/today', 'export const today = new Date();'),
  probe(SYNTAX, 'src/ports/today', 'export const today = Date();'),
  probe(SYNTAX, 'src/adapters/ssh2/named', "import { Server } from 'ssh2'; export const S = Server;"),
  probe(
    SYNTAX,
    'src/adapters/ssh2/named-beside',
    "import ssh2, { utils } from 'ssh2'; export const u = [ssh2, utils];",
  ),
  probe(SYNTAX, 'src/adapters/ssh2/namespace', "import * as ssh2 from 'ssh2'; export const all = ssh2;"),
  probe(SYNTAX, 'test/named', "import { Client } from 'ssh2'; export const C = Client;"),
  probe(
    SYNTAX,
    'src/adapters/ssh2/private',
    'export const p = (client: { protocol: 1 }) => (client as never)._protocol;',
  ),
  probe(SYNTAX, 'src/adapters/ssh2/private-index', "export const s = (client: Record<string, 1>) => client['_sock'];"),
  probe(SYNTAX, 'src/adapters/ssh2/private-taken', 'export const m = ({ _chanMgr }: Record<string, 1>) => _chanMgr;'),
  probe(SYNTAX, 'src/adapters/ssh2/private-shape', 'export interface Client { _protocol: 1 }'),
  probe(SYNTAX, 'src/adapters/ssh2/private-file', "export const path = 'ssh2/lib/Channel.js';"),
  probe('no-console', 'src/adapters/process/console', "console.error('');"),
  probe(`${TYPED}no-explicit-any`, 'src/app/any', 'export let anything: any;'),
  probe(`${TYPED}no-non-null-assertion`, 'src/app/bang', 'export const f = (a?: string) => a!;'),
  probe(`${TYPED}no-unsafe-type-assertion`, 'src/app/as', 'export const f = (a: unknown) => a as string;'),
  probe(`${TYPED}no-floating-promises`, 'test/floating', 'Promise.resolve();'),
  probe(`${TYPED}no-misused-promises`, 'src/app/misused', 'export const f = (a: Promise<1>) => (a ? 1 : 2);'),
  probe(
    `${TYPED}switch-exhaustiveness-check`,
    'src/domain/switch',
    "export function f(a: 1 | 2) { switch (a) { case 1: return 'one'; } return ''; }",
  ),
];

const FINE: readonly Omit<Probe, 'rule'>[] = [
  { file: 'src/app/config.ts', source: "export const home = process.env['HOME'];\n" },
  { file: 'src/app/cli/fine.ts', source: "console.log('for a person');\n" },
  { file: 'src/domain/fine.ts', source: 'export const year = (ms: number) => new Date(ms).getUTCFullYear();\n' },
  {
    file: 'src/adapters/ssh2/fine.ts',
    source:
      "import ssh2, { type Server } from 'ssh2';\n\nexport const make = (): Server => new ssh2.Server({ hostKeys: [] });\n",
  },
  {
    file: 'src/adapters/ssh2/internals.ts',
    source: 'export const p = (client: object) => (client as { _protocol: 1 })._protocol;\n',
  },
];

function probe(rule: string, file: string, source: string): Probe {
  return { rule, file: `${file}.ts`, source };
}

describe('the linter', () => {
  const complaints = new Map<string, readonly string[]>();
  let status: number;

  beforeAll(async () => {
    const planted = Object.fromEntries([...PROBES, ...FINE].map(({ file, source }) => [file, source]));
    const tree = scratchTree([], planted);
    const run = await runTool(tree, 'eslint/bin/eslint.js', '--format', 'json', '.');
    status = run.status;
    for (const { filePath, messages } of JSON.parse(run.stdout) as {
      filePath: string;
      messages: { ruleId: string }[];
    }[]) {
      complaints.set(
        relative(tree, filePath),
        messages.map(({ ruleId }) => ruleId),
      );
    }
  });

  test.each(PROBES)('names $rule in $file', ({ rule, file }) => {
    expect(complaints.get(file)).toContain(rule);
  });

  test.each(FINE)('lets $file pass', ({ file }) => {
    expect(complaints.get(file)).toEqual([]);
  });

  test('fails the run', () => {
    expect(status).toBe(1);
  });
});
