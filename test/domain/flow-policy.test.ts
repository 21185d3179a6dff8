import { describe, expect, test } from '@jest/globals';
import { FLOW_BEGIN, lookEveryMs, nextFlow, type FlowLook, type FlowStep } from '../../src/domain/flow-policy.js';

const LIMITS = { stallPauseMs: 10_000, stallEndMs: 60_000, silenceNoticeMs: 30_000 };
const STEP_MS = 1_000;

/** What follows from one look a second; the steps with the second they came in. */
function stepsOf(looks: readonly FlowLook[], limits = LIMITS): readonly [number, FlowStep][] {
  let flow = FLOW_BEGIN;
  return looks.flatMap((look, second) => {
    const [next, steps] = nextFlow(flow, look, STEP_MS, limits);
    flow = next;
    return steps.map((step): [number, FlowStep] => [second + 1, step]);
  });
}

function times(count: number, look: FlowLook | ((n: number) => FlowLook)): FlowLook[] {
  return Array.from({ length: count }, (_, n) => (typeof look === 'function' ? look(n) : look));
}

const STALLED: FlowLook = { passed: 500, waiting: 100, taken: 400 };
const QUIET: FlowLook = { passed: 500, waiting: 0, taken: 500 };

describe('a client that takes nothing of what waits', () => {
  test('has its dyno stopped after the time for it, and ended after the other', () => {
    const steps = stepsOf([QUIET, ...times(60, STALLED)]);
    const firstStalled = 2;
    expect(steps[0]).toEqual([firstStalled + 10, { kind: 'pause' }]);
    expect(steps.at(-1)).toEqual([firstStalled + 59, { kind: 'pause' }]);
    const ended = stepsOf([QUIET, ...times(61, STALLED)]).filter(([, { kind }]) => kind !== 'pause');
    expect(ended).toEqual([[firstStalled + 60, { kind: 'end' }]]);
  });

  test('has it stopped anew at each look, as a signal may have woken it', () => {
    expect(stepsOf([QUIET, ...times(20, STALLED)]).map(([second]) => second)).toEqual(
      Array.from({ length: 10 }, (_, n) => 12 + n),
    );
  });

  test('has it go on with the first byte it takes, once', () => {
    const taking = { passed: 500, waiting: 99, taken: 401 };
    const steps = stepsOf([QUIET, ...times(15, STALLED), taking, ...times(5, { ...taking, taken: 402 })]);
    expect(steps.filter(([, { kind }]) => kind === 'resume')).toEqual([[17, { kind: 'resume' }]]);
    expect(steps.at(-1)?.[1]).toEqual({ kind: 'resume' });
  });

  test('but a little each time is never stalled, however slow', () => {
    expect(stepsOf(times(600, (n) => ({ passed: 10_000, waiting: 10_000 - n, taken: n })))).toEqual([]);
  });

  test('is none who has taken everything, or whose dyno wrote more than it took', () => {
    expect(stepsOf(times(25, QUIET))).toEqual([]);
    expect(stepsOf(times(600, (n) => ({ passed: n * 10, waiting: n * 5, taken: n * 5 })))).toEqual([]);
  });

  test('is told nothing meanwhile', () => {
    const steps = stepsOf(times(59, STALLED));
    expect(steps.filter(([, { kind }]) => kind === 'tell')).toEqual([]);
  });
});

describe('silence of both sides', () => {
  test('is told of at each interval, and never ends anything', () => {
    const steps = stepsOf(times(3601, QUIET));
    expect(steps).toHaveLength(120);
    expect(steps.slice(0, 2)).toEqual([
      [31, { kind: 'tell', silentMs: 30_000 }],
      [61, { kind: 'tell', silentMs: 60_000 }],
    ]);
  });

  test('begins anew with each byte of either side', () => {
    expect(stepsOf(times(3600, (n) => ({ passed: Math.floor(n / 29), waiting: 0, taken: 0 })))).toEqual([]);
  });
});

test('0 turns each of them off', () => {
  const off = { stallPauseMs: 0, stallEndMs: 0, silenceNoticeMs: 0 };
  expect(stepsOf([...times(5000, STALLED), ...times(5000, QUIET)], off)).toEqual([]);
  expect(lookEveryMs(off)).toBeUndefined();
});

test.each([
  [LIMITS, 500],
  [{ ...LIMITS, stallPauseMs: 0 }, 1_500],
  [{ stallPauseMs: 0, stallEndMs: 0, silenceNoticeMs: 1_000 }, 50],
  [{ stallPauseMs: 100, stallEndMs: 0, silenceNoticeMs: 0 }, 25],
])('of %j is looked every %i ms', (limits, everyMs) => {
  expect(lookEveryMs(limits)).toBe(everyMs);
});
