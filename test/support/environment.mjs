/**
 * The world a test file runs in: its own temporary folder, and a guard that fails the file when it leaves a socket,
 * server, timer, process, open file or temporary file behind, and a test when a must-call was not kept.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestEnvironment } from 'jest-environment-node';
import { holdings, leftovers, MARK, strays, surplus } from './leaks.mjs';

const DEFAULT_GRACE_MS = 2_000;

/** Where test/support/*.ts find what the guard keeps for the file. */
const GUARD = Symbol.for('gitmouth.test.guard');

export default class GuardedEnvironment extends TestEnvironment {
  constructor(config, context) {
    const { testEnvironmentOptions: options, testTimeout } = config.projectConfig;
    const outside = { tmpdir: process.env['TMPDIR'], mark: process.env[MARK] };
    const temporary = mkdtempSync(join(tmpdir(), 'gitmouth-test-'));
    // Dynos run as another user and must be able to pass through.
    chmodSync(temporary, 0o711);
    const mark = `${process.pid}-${context.testPath}`;
    process.env['TMPDIR'] = temporary;
    process.env[MARK] = mark;
    super(config, context);
    Object.assign(this, { outside, temporary, mark, testTimeout, file: context.testPath });
    this.graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
    this.guard = { temporary, folders: [], promises: new Set() };
    this.global[GUARD] = this.guard;
    this.history = [];
  }

  async handleTestEvent(event, state) {
    switch (event.name) {
      case 'setup':
        // Jest takes a time limit from the whole run's configuration alone; each project has its own here.
        if (this.testTimeout !== undefined) state.testTimeout = this.testTimeout;
        return;
      case 'run_start':
        this.before = holdings(this.temporary);
        return;
      case 'test_done':
        event.test.errors.push(...this.brokenPromises());
        this.history.push({ test: nameOf(event.test), held: holdings(this.temporary) });
        return;
      case 'run_finish':
        state.unhandledErrors.push(...(await this.leaks()));
    }
  }

  async teardown() {
    for (const pid of strays(this.mark)) end(pid);
    rmSync(this.temporary, { recursive: true, force: true });
    restore('TMPDIR', this.outside.tmpdir);
    restore(MARK, this.outside.mark);
    await super.teardown();
  }

  /** Must-calls and must-not-calls that were not kept in the test that just ended. */
  brokenPromises() {
    const broken = [...this.guard.promises].flatMap((promise) => promise.broken() ?? []);
    this.guard.promises.clear();
    return broken;
  }

  async leaks() {
    for (const folder of this.guard.folders) rmSync(folder, { recursive: true, force: true });
    const left = await leftovers(this.before, this.temporary, this.mark, this.graceMs);
    if (left.length === 0) return [];
    const lines = left.map((name) => `  - ${name}, ${this.firstSeen(name)}`);
    const error = new Error(`left behind by this file:\n${lines.join('\n')}`);
    error.stack = `${error.message}\n    at ${this.file}:0:0`;
    return [error];
  }

  /** The first test after which it was there and stayed. */
  firstSeen(name) {
    let seen;
    for (const { test, held } of this.history) {
      if (!surplus(this.before, held).includes(name)) seen = undefined;
      else seen ??= test;
    }
    return seen === undefined ? 'made outside the tests or by the last one' : `first seen after '${seen}'`;
  }
}

function nameOf(test) {
  const names = [];
  for (let part = test; part?.parent; part = part.parent) names.unshift(part.name);
  return names.join(' › ');
}

function restore(name, value) {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

function end(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
