import { inspect } from 'node:util';
import type { DomainEvent, FaultFacts, Phase } from '../domain/events.js';
import { isFault } from '../domain/fault.js';
import type { GitRequest } from '../domain/git-request.js';
import type { Caller } from '../domain/session.js';
import type { Usage } from '../domain/usage.js';
import { verdictLabel, type Outcome, type Verdict } from '../domain/verdict.js';
import type { Clock } from '../ports/clock.js';
import type { Traffic } from './bridge.js';

/** What is written down of one request while it is served, for its one log line. */
export class SessionRecord {
  readonly id: string;
  readonly traffic: Traffic = { bytesIn: 0, bytesOut: 0 };
  request: GitRequest | undefined;
  /** What goes on now, or did last. */
  phase: Phase = 'authorize';
  readonly #caller: Caller;
  readonly #clock: Clock;
  readonly #since: number;
  readonly #phasesMs: Partial<Record<Phase, number>> = {};

  constructor(id: string, caller: Caller, clock: Clock) {
    this.id = id;
    this.#caller = caller;
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** What every event of this session is found by. */
  get ids(): { readonly connection: string; readonly session: string } {
    return { connection: this.#caller.connection.id, session: this.id };
  }

  /** Until now. */
  get usage(): Usage {
    return { ...this.traffic, phasesMs: { ...this.#phasesMs } };
  }

  /** Runs one phase and notes how long it took, however it ends. */
  async timed<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const from = this.#clock.now();
    this.phase = phase;
    try {
      return await work();
    } finally {
      this.#phasesMs[phase] = this.#clock.now() - from;
    }
  }

  ended(outcome: Outcome, verdict: Verdict): DomainEvent {
    const { connection, user, key } = this.#caller;
    const { request } = this;
    return {
      type: 'session-ended',
      ...this.ids,
      address: connection.address,
      software: connection.software,
      user: user.name,
      fingerprint: key.sha256,
      ...(request === undefined ? {} : request),
      ...this.traffic,
      phasesMs: this.#phasesMs,
      durationMs: this.#clock.now() - this.#since,
      verdict: verdictLabel(outcome),
      exit: 'code' in verdict.exit ? verdict.exit.code : verdict.exit.signal,
      ...(outcome.kind === 'faulted' ? { fault: faultFacts(outcome.fault) } : {}),
      ...(outcome.kind === 'crashed' ? { fault: faultFacts(outcome.error) } : {}),
    };
  }
}

/** What a log keeps of an error; a bug keeps its stack. */
export function faultFacts(error: unknown): FaultFacts {
  if (!isFault(error)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { code: 'GM_BUG', stage: 'unknown', message: text };
  }
  const { cause } = error;
  return {
    code: error.code,
    stage: error.stage,
    message: error.message,
    ...(cause === undefined ? {} : { cause: cause instanceof Error ? cause.message : inspect(cause) }),
  };
}
