/** What is left when servers and clients go without a word: nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ProcessTransport } from '../../../src/adapters/process/process-transport.js';
import type { Sandbox } from '../../../src/adapters/process/sandbox.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import { never, until } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { compiledSources } from './compiled.js';
import { bareRepository, bubblewrap, isRoot, runAs, SERVER, unsandboxed } from './ground.js';
import { describeProcess, membersOf, openDescriptors, pidNamespace, processesOf } from './process-watch.js';

const ROUNDS = isRoot ? 200 : 40;
/** Without a namespace the whole process table is searched at each end: slower, and the same each time. */
const ROUNDS_UNSANDBOXED = 40;
const AT_ONCE = 4;

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { test: withGit } = needs('git');

withBubblewrap(`bubblewrap, started by ${SERVER},`, () => {
  test(
    `leaves no process, descriptor or file after ${ROUNDS} abrupt ends`,
    () => abruptEnds(bubblewrap(), ROUNDS),
    180_000,
  );

  test('ends git and all that it started when the server is killed', async () => {
    const folder = compiledSources();
    const word = `gitmouth-orphan-${process.pid}`;
    const program = join(folder, 'server.mjs');
    writeFileSync(program, SERVER_PROGRAM);
    const server = spawn(process.execPath, [program, bareRepository(), word, JSON.stringify(runAs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(server, 'exit');
    await once(server.stdout, 'data');
    const running = processesOf(word);
    const namespaces = new Set(running.map(pidNamespace));
    namespaces.delete(pidNamespace('self'));
    const everybody = (): number[] => [...processesOf(word), ...[...namespaces].flatMap(membersOf)];
    // The command and its two descendants at least, in one namespace of their own.
    expect(namespaces.size).toBe(1);
    expect(everybody().length).toBeGreaterThan(3);
    server.kill('SIGKILL');
    await ended;
    await until(() => everybody().length === 0, 'every process is gone').catch((error: unknown) => {
      throw new Error(everybody().map(describeProcess).join('\n'), { cause: error });
    });
  });
});

withGit(
  `no sandbox, started by ${SERVER}, leaves nothing after ${ROUNDS_UNSANDBOXED} abrupt ends`,
  () => abruptEnds(unsandboxed(), ROUNDS_UNSANDBOXED),
  180_000,
);

/** Opens dynos that hold on to everything they have, and leaves each in another way. */
async function abruptEnds(sandbox: Sandbox, rounds: number): Promise<void> {
  const repository = bareRepository();
  const word = `gitmouth-abrupt-${process.pid}-${sandbox.name}`;
  const script = "trap '' HUP; (sleep 60 & sleep 60) & cat >/dev/null; sleep 60";
  const transport = new ProcessTransport({ sandbox, graceMs: 0, commandOf: () => ['sh', '-c', script, word] });
  const plan = { service: 'git-receive-pack', access: 'write', environment: {}, secrets: [] } as const;
  const dyno: Dyno = { id: 'dyno-1', link: { kind: 'process', repository, plan } };

  async function round(number: number): Promise<void> {
    const session = await transport.open(dyno, never());
    if (number % 4 === 0) session.stdin.destroy();
    if (number % 4 === 1) session.stdin.write(Buffer.alloc(300_000));
    if (number % 4 === 2) session.stdout.destroy();
    if (number % 4 === 3) session.signal('KILL');
    await session.close();
  }

  await round(0);
  const descriptors = openDescriptors();
  const files = readdirSync(tmpdir()).length;
  for (let number = 0; number < rounds; number += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, offset) => round(number + offset)));
  expect(processesOf(word).map(describeProcess)).toEqual([]);
  await until(() => openDescriptors() <= descriptors, 'every descriptor is closed');
  expect(readdirSync(tmpdir())).toHaveLength(files);
}

const SERVER_PROGRAM = `
import { BubblewrapSandbox } from './adapters/process/bubblewrap.js';
import { ProcessTransport } from './adapters/process/process-transport.js';
import { DEFAULT_DYNO_LIMITS } from './domain/dyno-policy.js';

const [repository, word, runAs] = process.argv.slice(2);
const sandbox = new BubblewrapSandbox({ limits: DEFAULT_DYNO_LIMITS, network: 'none', ...JSON.parse(runAs) });
const script = "trap '' TERM HUP INT PIPE; (setsid sleep 300 &) ; sleep 300 & echo ready; while :; do sleep 0.1; done";
const transport = new ProcessTransport({ sandbox, graceMs: 60_000, commandOf: () => ['sh', '-c', script, word] });
const plan = { service: 'git-upload-pack', access: 'read', environment: {}, secrets: [] };
const session = await transport.open({ id: 'd', link: { kind: 'process', repository, plan } }, new AbortController().signal);
session.stdout.once('data', () => console.log('ready'));
setInterval(() => undefined, 1000);
`;
