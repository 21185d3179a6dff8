/** Dynos that stand still: every process of theirs, whatever they do to run on. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { ProcessTransport } from '../../../src/adapters/process/process-transport.js';
import type { Sandbox } from '../../../src/adapters/process/sandbox.js';
import { Standstill } from '../../../src/adapters/process/standstill.js';
import { never, until, within } from '../../../src/contracts/contract.js';
import { line } from '../../../src/contracts/dyno-driver.js';
import type { DynoSession } from '../../../src/ports/transport.js';
import { needs } from '../../support/programs.js';
import { bareRepository, bubblewrap, SERVER, unsandboxed } from './ground.js';
import { describeProcess, membersOf, pidNamespace, pids, processesOf } from './process-watch.js';

const GRACE_MS = 300;
const PLAN = { service: 'git-receive-pack', access: 'write', environment: {}, secrets: [] } as const;

let dynos = 0;

/** Every process of the dyno, found by what it looks like from here. */
type Members = () => readonly number[];

interface Open {
  readonly session: DynoSession;
  readonly members: Members;
}

/** A running script, that has said `ready`. */
async function open(sandbox: Sandbox, script: string): Promise<Open> {
  const word = `gitmouth-still-${process.pid}-${dynos++}`;
  const transport = new ProcessTransport({ sandbox, graceMs: GRACE_MS, commandOf: () => ['sh', '-c', script, word] });
  const link = { kind: 'process', repository: bareRepository(), plan: PLAN } as const;
  const session = await transport.open({ id: 'dyno-1', link }, never());
  await line(session.stdout, 'ready');
  session.stdout.resume();
  return { session, members: sandbox.name === 'none' ? ofSession(word) : ofNamespace(word) };
}

function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return ['X'];
  }
}

const isDead = (pid: number) => 'ZX'.includes(statOf(pid)[0] ?? 'X');

function ofSession(word: string): Members {
  const leader = processesOf(word)[0];
  return () => pids().filter((pid) => statOf(pid)[3] === String(leader) && !isDead(pid));
}

/** All but the namespace's first, which is bubblewrap. */
function ofNamespace(word: string): Members {
  const own = pidNamespace('self');
  const namespace = processesOf(word)
    .map(pidNamespace)
    .find((one) => one !== own && one !== '');
  if (namespace === undefined) throw new Error('there is no namespace of its own');
  const [first] = membersOf(namespace);
  return () => membersOf(namespace).filter((pid) => pid !== first);
}

const stateOf = (pid: number) => statOf(pid)[0] ?? 'X';

/** In clock ticks: of themselves, and of their children that have ended. */
function processorTime(members: readonly number[]): number {
  return members.flatMap((pid) => statOf(pid).slice(11, 15)).reduce((sum, ticks) => sum + Number(ticks), 0);
}

/** D is who waits for a child it has made by vfork(2), and that was stopped before it became another program. */
const isStill = (pid: number) => 'TD'.includes(stateOf(pid));

async function expectStill(members: Members): Promise<void> {
  let looks = 0;
  await until(
    () => {
      looks = members().every(isStill) ? looks + 1 : 0;
      return looks > 5;
    },
    `all are stopped: ${members().map(describeProcess).join(', ')}`,
  );
  const before = members();
  const ticks = processorTime(before);
  await sleep(150);
  expect(members()).toEqual(before);
  expect(processorTime(before)).toBe(ticks);
  expect(before.filter((pid) => !isStill(pid)).map(describeProcess)).toEqual([]);
  expect(before.some((pid) => stateOf(pid) === 'T')).toBe(true);
}

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { describe: withGit } = needs('git');

withBubblewrap(`dynos in bubblewrap, started by ${SERVER}`, () => standStill(bubblewrap));
withGit(`dynos without a sandbox, started by ${SERVER}`, () => standStill(unsandboxed));

test('who does not come to rest is stopped in another round when that is asked for again, after a while', async () => {
  let looks = 0;
  // Nobody has started with the machine's first tick, so that no signal is sent.
  const restless = { pid: process.pid, parent: 1, session: 1, state: 'R', startTicks: '0' };
  const still = { ...restless, state: 'T' };
  const members = () => [++looks > 8 ? still : restless];
  const standstill = new Standstill(members, { looks: 4, longestWaitMs: 1, betweenRoundsMs: 400 });
  const begin = async (): Promise<number> => {
    for (let times = 0; times < 20; times++) {
      standstill.begin();
      await sleep(5);
    }
    return looks;
  };
  expect(await begin()).toBe(4);
  await sleep(500);
  expect(await begin()).toBe(8);
  await sleep(500);
  // Three looks that find them still are enough, for ever.
  expect(await begin()).toBe(11);
  await sleep(500);
  expect(await begin()).toBe(11);
});

function standStill(make: () => Sandbox): void {
  test.each([
    ['works', 'echo ready; while :; do :; done', 1],
    ['has many at work', 'for n in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; echo ready; wait', 9],
    ['begins a program after the other', 'echo ready; while :; do /bin/true; done', 1],
    [
      'makes a new process all the time, which does the same',
      'next() { [ -e stop ] || (next) & }; echo ready; next; while :; do (:) & wait; done',
      1,
    ],
    [
      'has processes that ignore what can be ignored',
      "trap '' HUP INT TERM TSTP CONT; echo ready; while :; do :; done",
      1,
    ],
  ])('one that %s stands still, to the last process, and goes on', async (_, script, fewest) => {
    const { session, members } = await open(make(), script);
    try {
      for (let round = 0; round < 2; round++) {
        session.pause();
        await expectStill(members);
        expect(members().length).toBeGreaterThanOrEqual(fewest);
        const ticks = processorTime(members());
        session.resume();
        await until(() => members().every((pid) => stateOf(pid) !== 'T'), 'all go on');
        await until(() => processorTime(members()) !== ticks, 'they work');
      }
    } finally {
      await session.close();
    }
    expect(members()).toEqual([]);
  });

  test('one that is stopped is ended all the same: after its grace if it ignores TERM, and nothing is left', async () => {
    const { session, members } = await open(make(), "trap '' TERM; (sleep 60) & echo ready; while :; do sleep 1; done");
    session.pause();
    await expectStill(members);
    await within(session.close(), 'the close');
    expect(await session.exit).toEqual({ kind: 'signal', signal: 'KILL' });
    expect(members()).toEqual([]);
  });

  test('one that is stopped dies of KILL at once', async () => {
    const { session, members } = await open(make(), 'echo ready; sleep 60');
    session.pause();
    await expectStill(members);
    session.signal('KILL');
    expect(await within(session.exit, 'the exit')).toEqual({ kind: 'signal', signal: 'KILL' });
    await session.close();
    expect(members()).toEqual([]);
  });

  test('one that is stopped is woken by each signal for its command', async () => {
    const names = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'] as const;
    const traps = names.map((name) => `trap 'echo ${name}' ${name}`).join('; ');
    const { session, members } = await open(make(), `${traps}; echo ready; while :; do sleep 0.02; done`);
    let said = '';
    session.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    for (const name of names) {
      session.pause();
      await expectStill(members);
      session.signal(name);
      await until(() => said.endsWith(`${name}\n`), `it has ${name}`);
    }
    expect(said).toBe(names.map((name) => `${name}\n`).join(''));
    await session.close();
  });
}
