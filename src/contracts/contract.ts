/**
 * Contracts are data: named cases over a harness, free of any test runner. An adapter's tests open a harness for it,
 * hand it to the contract of its port, and run each case by whatever runner they like.
 */
import assert from 'node:assert/strict';
import { setTimeout as realTime } from 'node:timers/promises';
import { isFault, type Stage } from '../domain/fault.js';

export interface ContractCase {
  readonly name: string;
  /** What the adapter (or its harness) cannot do, so that this case does not apply: to be reported, not to be run. */
  readonly leftOut?: string;
  readonly run: () => Promise<void>;
}

/** What every harness offers: an adapter under test, fresh, and its end. */
export interface Harness {
  /** Gives back everything the harness acquired. Called after each case, passed or failed. */
  close(): Promise<void>;
}

/** One promise of a port, and how to see it kept. */
export interface Promised<H extends Harness, Lack extends string = never> {
  readonly name: string;
  /** The ability without which the case makes no sense. */
  readonly needs?: Lack;
  run(harness: H): Promise<void>;
}

/** Each case gets a harness of its own, closed whatever happens. */
export function casesOf<H extends Harness, Lack extends string = never>(
  open: () => Promise<H>,
  lacks: readonly Lack[],
  promises: readonly Promised<H, Lack>[],
): readonly ContractCase[] {
  return promises.map(({ name, needs, run }) => ({
    name,
    ...(needs !== undefined && lacks.includes(needs) ? { leftOut: needs } : {}),
    async run() {
      const harness = await open();
      try {
        await run(bound(harness));
      } finally {
        await harness.close();
      }
    },
  }));
}

/** Cases take the methods they need out of a harness, which may be an object of a class. */
function bound<H extends Harness>(harness: H): H {
  return new Proxy(harness, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function'
        ? (...args: unknown[]): unknown => Reflect.apply(member, target, args)
        : member;
    },
  });
}

/** An optional ability of a harness; without it the case must be left out by name, not pass by doing nothing. */
export function offered<T>(ability: T | undefined, name: string): T {
  assert.ok(ability !== undefined, `the harness offers no ${name}: offer it, or name it among what the adapter lacks`);
  return ability;
}

/** The reason a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await within(
    promise.then(
      (value: unknown) => ({ value }),
      (reason: unknown) => ({ reason }),
    ),
    'the rejection',
  );
  assert.ok('reason' in outcome, 'it resolved and was to reject');
  return outcome.reason;
}

/** Fails, instead of hanging, when a promise takes longer than a healthy machine ever needs. */
export async function within<T>(promise: Promise<T>, what: string, timeoutMs = 10_000): Promise<T> {
  const over = new AbortController();
  const late = realTime(timeoutMs, undefined, { signal: over.signal }).then(() =>
    assert.fail(`waited ${timeoutMs} ms in vain for ${what}`),
  );
  late.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
  }
}

/** Polls for a condition. `pass` moves the adapter's time on meanwhile, where it has a clock of its own. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  pass: (ms: number) => Promise<void> = async () => undefined,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`waited ${timeoutMs} ms in vain until ${what}`);
    await pass(20);
    await realTime(1);
  }
}

/** The value of a promise, while the adapter's time passes. */
export async function settled<T>(promise: Promise<T>, what: string, pass: (ms: number) => Promise<void>): Promise<T> {
  let over = false;
  const noted = promise.finally(() => (over = true));
  noted.catch(() => undefined);
  await until(() => over, what, pass);
  return noted;
}

/** Lets everything that is already due happen: for asserting that something does *not* follow. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function assertFault(error: unknown, stage: Stage): void {
  assert.ok(isFault(error), `a Fault was to be thrown, and this was: ${String(error)}`);
  assert.equal(error.stage, stage);
}

/** A signal that never aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** A signal that has aborted, with a reason that can be told from any other. */
export function gone(): AbortSignal {
  return AbortSignal.abort(new Error('the one reason'));
}
