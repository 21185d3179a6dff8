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
const isStill = (pid: number) => 'TDZX'.includes(stateOf(pid));

/** For a while nobody runs, nobody is born, and no processor time is taken. */
async function expectStill(members: Members): Promise<void> {
  let before: readonly number[] = [];
  for (let tries = 0; ; tries++) {
    before = members();
    const ticks = processorTime(before);
    let isQuiet = true;
    for (let look = 0; look < 6; look++) {
      isQuiet &&= members().every(isStill);
      await sleep(30);
    }
    const after = members();
    if (isQuiet && String(after) === String(before) && processorTime(before) === ticks) break;
    if (tries >= 50)
      throw new Error(`they run on: ${after.map((pid) => `${stateOf(pid)} ${describeProcess(pid)}`).join(', ')}`);
  }
  expect(before.some((pid) => stateOf(pid) === 'T')).toBe(true);
}

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { describe: withGit } = needs('git');

withBubblewrap(`dynos in bubblewrap, started by ${SERVER}`, () => standStill(bubblewrap));
withGit(`dynos without a sandbox, started by ${SERVER}`, () => standStill(unsandboxed));

const PACE = { looks: 4, longestWaitMs: 1, firstRestMs: 20, longestRestMs: 40 };
/** Nobody has started with the machine's first tick, so that no signal is sent. */
const inState = (state: string) => ({ pid: process.pid, parent: 1, session: 1, state, startTicks: '0' });

test('who does not come to rest is stopped in further rounds, until all are still', async () => {
  let looks = 0;
  const standstill = new Standstill(() => [inState(++looks > 12 ? 'T' : 'R')], PACE);
  standstill.begin();
  await until(() => looks >= 15, 'it is looked in further rounds');
  await sleep(200);
  expect(looks).toBe(15);
});

test('who waits in the kernel is looked after, until it is still', async () => {
  let looks = 0;
  let state = 'D';
  const standstill = new Standstill(() => [inState((looks++, state))], PACE);
  standstill.begin();
  await until(() => looks >= 6, 'it is looked in further rounds');
  state = 'T';
  await sleep(200);
  const then = looks;
  await sleep(200);
  expect(looks).toBe(then);
});

test('nobody is looked for once they are to go on', async () => {
  let looks = 0;
  const standstill = new Standstill(() => [inState((looks++, 'R'))], PACE);
  standstill.begin();
  await until(() => looks >= 6, 'it is looked in further rounds');
  standstill.end();
  const then = looks;
  await sleep(200);
  expect(looks).toBe(then);
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
