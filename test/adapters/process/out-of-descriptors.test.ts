/** A server that is out of descriptors (EMFILE): it can't look into /proc, and has dynos to stop and to end all the same. */
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { signalNumber } from '../../../src/adapters/process/process-table.js';
import { until, within } from '../../../src/contracts/contract.js';
import { line } from '../../../src/contracts/dyno-driver.js';
import { needs } from '../../support/programs.js';
import { compiledSources } from './compiled.js';
import { bareRepository, runAs, SERVER } from './ground.js';
import { processesOf, stateOf } from './process-watch.js';

/** In the command line of every process of a dyno of this file, and of the server. */
const WORD = `gitmouth-descriptors-${process.pid}-`;

let servers = 0;
let server: ChildProcessByStdio<Writable, Readable, null> | undefined;

/** Without a sandbox a dyno outlives a server that failed: this one would work for ever. */
afterEach(async () => {
  if (server?.exitCode === null && server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  for (const pid of processesOf(WORD)) signalNumber(pid, 'KILL');
});

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { describe: withPrlimit } = needs('prlimit', 'git');

withBubblewrap(`dynos in bubblewrap, started by ${SERVER} out of descriptors,`, () => {
  standAndEnd('bubblewrap');

  test('end before there are descriptors again', async () => {
    const { command, members } = await start('bubblewrap');
    setDescriptors(NONE);
    await within(command('close', 'closed'), 'the end', 5_000);
    expect(members()).toEqual([]);
  });
});

withPrlimit(`dynos without a sandbox, started by ${SERVER} out of descriptors,`, () => standAndEnd('none'));

function standAndEnd(sandbox: 'bubblewrap' | 'none'): void {
  test('stand still once there are some, go on once there are some, and die at once', async () => {
    const { command, members } = await start(sandbox);
    const isStopped = () => members().some((pid) => stateOf(pid) === 'T');

    setDescriptors(NONE);
    await command('pause', 'pause');
    await sleep(200);
    expect(isStopped()).toBe(false);
    setDescriptors(ENOUGH);
    await until(isStopped, 'it stands still');

    setDescriptors(NONE);
    await command('resume', 'resume');
    await sleep(200);
    expect(isStopped()).toBe(true);
    setDescriptors(ENOUGH);
    await until(() => !isStopped(), 'it goes on');

    await command('pause', 'pause');
    await until(isStopped, 'it stands still again');
    setDescriptors(NONE);
    const closed = command('close', 'closed');
    await until(() => members().length === 0, 'it is dead');
    setDescriptors(ENOUGH);
    await closed;
  });
}

const NONE = 1;
const ENOUGH = 1_000;

/** Of the server, from outside: what it has open it keeps, but it gets no more. */
function setDescriptors(limit: number): void {
  const changed = spawnSync('prlimit', ['--pid', String(server?.pid), `--nofile=${limit}:`], { encoding: 'utf8' });
  expect(changed.stderr).toBe('');
}

/** A server with a dyno that ignores TERM, in which two processes work. */
async function start(sandbox: 'bubblewrap' | 'none') {
  const folder = compiledSources();
  const word = `${WORD}${servers++}`;
  const program = join(folder, 'server.mjs');
  writeFileSync(program, SERVER_PROGRAM);
  const started = spawn(process.execPath, [program, sandbox, bareRepository(), word, JSON.stringify(runAs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  server = started;
  await line(started.stdout, 'ready');
  const command = async (name: string, answer: string): Promise<void> => {
    const answered = line(started.stdout.resume(), answer);
    started.stdin.write(name);
    await answered;
  };
  const members = () => processesOf(word).filter((pid) => pid !== started.pid);
  return { command, members };
}

const SERVER_PROGRAM = `
import { BubblewrapSandbox } from './adapters/process/bubblewrap.js';
import { UnsandboxedSandbox } from './adapters/process/unsandboxed.js';
import { ProcessTransport } from './adapters/process/process-transport.js';
import { DEFAULT_DYNO_LIMITS } from './domain/dyno-policy.js';

const [name, repository, word, runAs] = process.argv.slice(2);
const options = { limits: DEFAULT_DYNO_LIMITS, network: 'none', ...JSON.parse(runAs) };
const sandbox = name === 'none' ? new UnsandboxedSandbox(options) : new BubblewrapSandbox(options);
const script = "trap '' TERM; (while :; do :; done) & echo ready; while :; do :; done";
const transport = new ProcessTransport({ sandbox, graceMs: 100, commandOf: () => ['sh', '-c', script, word] });
const plan = { service: 'git-receive-pack', access: 'write', environment: {}, secrets: [] };
const session = await transport.open({ id: 'd', link: { kind: 'process', repository, plan } }, new AbortController().signal);
session.stdout.once('data', () => console.log('ready'));
process.stdin.on('data', async (command) => {
  const name = String(command);
  if (name !== 'close') {
    session[name]();
    return console.log(name);
  }
  await session.close();
  console.log('closed');
});
`;
