/** Every rule of .dependency-cruiser.cjs has a violation here that it must name. */
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT, runTool, scratchTree } from './scratch.js';

interface Report {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
    readonly totalCruised: number;
    readonly totalDependenciesCruised: number;
  };
}

const CRUISER = 'dependency-cruiser/bin/dependency-cruise.mjs';
const OPTIONS = ['--config', '.dependency-cruiser.cjs', 'src'] as const;

async function cruise(tree: string) {
  const { stdout, stderr } = await runTool(tree, CRUISER, ...OPTIONS, '--output-type', 'json');
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as Report).summary;
}

interface Probe {
  readonly rule: string;
  readonly file: string;
  readonly source: string;
}

const PROBES: readonly Probe[] = [
  ...[
    ['package', "import { z } from 'zod';"],
    ['node', "import { join } from 'node:path';"],
    ['node-type', "import type { Readable } from 'node:stream';"],
    ['port', "import type { Clock } from '../ports/clock.js';"],
    ['app', "import type {} from '../app/serve-git.js';"],
  ].map(([name, source]) => probe('domain-imports-nothing-outside', `src/domain/probe-${name}.ts`, source)),
  probe('ports-import-domain-and-streams', 'src/ports/probe-net.ts', "import type { Socket } from 'node:net';"),
  probe('ports-import-domain-and-streams', 'src/ports/probe-ssh2.ts', "import type ssh2 from 'ssh2';"),
  probe('ports-import-domain-and-streams', 'src/ports/probe-app.ts', "import type {} from '../app/serve-git.js';"),
  probe('ports-import-streams-as-types', 'src/ports/probe-stream.ts', "import { Readable } from 'node:stream';"),
  probe(
    'adapters-do-not-know-app',
    'src/adapters/memory/probe-app.ts',
    "import type {} from '../../app/serve-git.js';",
  ),
  probe(
    'adapters-do-not-know-each-other',
    'src/adapters/memory/probe-other.ts',
    "import type {} from '../ssh2/internals.js';",
  ),
  probe(
    'ssh-dyno-knows-ssh2-alone',
    'src/adapters/ssh-dyno/probe-other.ts',
    "import type {} from '../memory/index.js';",
  ),
  ...['serve-git', 'bridge'].map((name) =>
    probe('use-case-does-not-know-adapters', `src/app/${name}.ts`, "import '../adapters/ssh2/internals.js';"),
  ),
  probe('inversify-only-in-container', 'src/app/probe-container.ts', "import type { Container } from 'inversify';"),
  probe('inversify-only-in-container', 'src/adapters/memory/probe-container.ts', "import 'reflect-metadata';"),
  probe('inversify-elsewhere-as-types', 'src/app/tokens.ts', "import { Container } from 'inversify';"),
  probe('ssh2-only-in-its-adapters', 'src/adapters/memory/probe-ssh2.ts', "import ssh2 from 'ssh2';"),
  probe('ssh2-only-in-its-adapters', 'src/app/probe-ssh2.ts', "import type ssh2 from 'ssh2';"),
  probe(
    'ssh2-private-parts-only-in-internals',
    'src/adapters/ssh2/probe-private.ts',
    "import Channel from 'ssh2/lib/Channel.js';",
  ),
  probe(
    'ml-kem-only-in-post-quantum',
    'src/adapters/ssh2/probe-kem.ts',
    "import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';",
  ),
  probe(
    'embedded-knows-sqlite-alone',
    'src/adapters/embedded/probe-other.ts',
    "import type {} from '../memory/index.js';",
  ),
  probe('sqlite-only-in-its-adapters', 'src/adapters/memory/probe-sqlite.ts', "import Database from 'better-sqlite3';"),
  probe('redis-only-in-its-adapter', 'src/adapters/sqlite/probe-redis.ts', "import { Redis } from 'ioredis';"),
  probe(
    'counters-only-behind-their-port',
    'src/app/probe-counter.ts',
    "import { RateLimiterMemory } from 'rate-limiter-flexible';",
  ),
  probe('http-client-only-in-remote', 'src/adapters/memory/probe-http.ts', "import fetch from 'node-fetch';"),
  probe('http-client-only-in-remote', 'src/adapters/openruko/probe-http.ts', "import fetch from 'node-fetch';"),
  ...[
    ['package', "import type { z } from 'zod';"],
    ['runner', "import { test } from '@jest/globals';"],
    ['adapter', "import '../adapters/memory/index.js';"],
    ['app', "import type {} from '../app/serve-git.js';"],
  ].map(([name, source]) => probe('contracts-know-domain-and-ports', `src/contracts/probe-${name}.ts`, source)),
  ...['domain', 'ports', 'adapters/memory', 'app'].map((folder) => {
    const up = folder.replaceAll(/[^/]+/g, '..');
    return probe('contracts-are-for-tests', `src/${folder}/probe-contract.ts`, `import '${up}/contracts/index.js';`);
  }),
  probe('src-does-not-know-test', 'src/app/probe-test.ts', "import '../../test/support/temporary.js';"),
  probe('no-cycles', 'src/app/probe-cycle-a.ts', "import { b } from './probe-cycle-b.js'; export const a = [b];"),
  probe('only-declared-dependencies', 'src/app/probe-development.ts', "import { expect } from '@jest/globals';"),
  probe('only-declared-dependencies', 'src/app/probe-missing.ts', "import 'no-such-package';"),
];

/** What probes point at, and what comes near a rule without breaking it. */
const ALLOWED = {
  'src/app/probe-cycle-b.ts': "import { a } from './probe-cycle-a.js'; export const b = () => a;",
  'src/app/probe-type-cycle.ts': "import type { A } from './probe-type-cycle-back.js'; export type B = A[];",
  'src/app/probe-type-cycle-back.ts': "import type { B } from './probe-type-cycle.js'; export type A = B | 1;",
  'src/app/container.ts':
    "import { Container } from 'inversify'; import '../adapters/ssh2/internals.js'; new Container();",
  'src/app/gateway.ts': "import type { ContainerModule } from 'inversify'; export type M = ContainerModule;",
  'src/ports/probe-fine.ts': "import type { Readable } from 'node:stream'; export type R = Readable;",
  'src/contracts/probe-fine.ts': "import assert from 'node:assert/strict'; import '../ports/clock.js'; assert.ok(1);",
  'src/adapters/remote/probe-fine.ts': "import fetch from 'node-fetch'; import { z } from 'zod'; void z; void fetch;",
  'src/adapters/memory/probe-counter.ts':
    "import { RateLimiterMemory } from 'rate-limiter-flexible'; void RateLimiterMemory;",
  'src/adapters/http/probe-fine.ts': "import '../remote/trouble.js';",
  'src/adapters/embedded/probe-fine.ts': "import '../sqlite/database.js';",
  'src/app/state/probe-fine.ts': "import '../../adapters/memory/index.js';",
  'src/app/platforms/probe-fine.ts': "import '../../adapters/memory/index.js';",
  'src/adapters/ssh-dyno/probe-fine.ts':
    "import '../ssh2/internals.js'; import type {} from '../remote/trouble.js'; import type ssh2 from 'ssh2'; export type S = typeof ssh2;",
  'test/support/temporary.ts': 'export {};',
};

function probe(rule: string, file: string, source = ''): Probe {
  return { rule, file, source };
}

describe('the layers', () => {
  test('hold in the tree as it is, all of which was looked at', async () => {
    const { violations, totalCruised, totalDependenciesCruised } = await cruise(ROOT);
    expect(violations).toEqual([]);
    expect(totalCruised).toBeGreaterThan(60);
    expect(totalDependenciesCruised).toBeGreaterThan(150);
  });
});

describe('a planted violation', () => {
  let found: Report['summary'];
  let tree: string;

  beforeAll(async () => {
    const planted = Object.fromEntries(PROBES.map(({ file, source }) => [file, source]));
    tree = scratchTree(['src'], { ...planted, ...ALLOWED });
    found = await cruise(tree);
  });

  test.each(PROBES)('of $rule in $file is named', ({ rule, file }) => {
    expect(found.violations).toContainEqual(
      expect.objectContaining({ from: file, rule: { severity: 'error', name: rule } }),
    );
  });

  test('is looked for by every rule there is', () => {
    const require = createRequire(import.meta.url);
    const { forbidden } = require('../../.dependency-cruiser.cjs') as {
      forbidden: { name: string; comment: string }[];
    };
    expect([...new Set(PROBES.map(({ rule }) => rule))].sort()).toEqual(forbidden.map(({ name }) => name).sort());
    for (const { comment } of forbidden) expect(comment).toMatch(/^.{30,}[.)]$/);
  });

  test('fails the run as `npm run fences` does it', async () => {
    const { status, stdout } = await runTool(tree, CRUISER, ...OPTIONS);
    expect(status).toBeGreaterThan(0);
    expect(stdout).toContain('domain-imports-nothing-outside');
  });

  test('is not seen in what only comes near a rule', () => {
    const fine = Object.keys(ALLOWED);
    expect(found.violations.filter(({ from }) => fine.includes(from))).toEqual([]);
  });
});
