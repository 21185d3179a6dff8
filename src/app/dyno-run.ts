import type { Dyno, DynoLink } from '../domain/dyno.js';
import { Fault, phaseTimeout } from '../domain/fault.js';
import type { Grant } from '../domain/grant.js';
import { isRefusal, type Refusal } from '../domain/refusal.js';
import { outcomeOfError, type Outcome } from '../domain/verdict.js';
import { createdWords, FIRST_START_NOTICE_MS, START_NOTICE_EVERY_MS, startingWords } from '../domain/words/progress.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import type { Provisioner } from '../ports/provisioner.js';
import type { Lease } from '../ports/repository-locks.js';
import type { DynoSession, Transport } from '../ports/transport.js';
import { bridge } from './bridge.js';
import { onAbort } from './on-abort.js';
import { outcomeOf, refused, type Run } from './run.js';
import { faultFacts, type SessionRecord } from './session-record.js';
import { awaitFirstByte, watchFlow } from './session-limits.js';
import { tellWhileWaiting } from './waiting-notices.js';

export interface DynoRunParts {
  readonly provisioner: Provisioner;
  /** By the kind of link each serves. */
  readonly transports: readonly Transport[];
  readonly observer: Observer;
  readonly clock: Clock;
}

/** The dyno's part of a request: has one made, connects to it, joins it to the client, and gives it back. */
export class DynoRun {
  readonly #parts: DynoRunParts;

  constructor(parts: DynoRunParts) {
    this.#parts = parts;
  }

  async serve(run: Run, grant: Grant, lease: Lease | undefined): Promise<Outcome> {
    const { channel, record, control } = run;
    const dyno = await record.timed('provision', () =>
      this.#tellingOfTheStart(run, () => this.#provision(run, grant, lease)),
    );
    if (isRefusal(dyno)) return refused(dyno);
    if (grant.creates) channel.stderr.write(createdWords(grant.app));
    let outcome: Outcome;
    try {
      outcome = await this.#runIn(dyno, run, lease);
    } catch (error) {
      outcome = outcomeOf(error, control.signal);
    }
    return this.#release(dyno, outcome, record);
  }

  #provision(run: Run, grant: Grant, lease: Lease | undefined): Promise<Dyno | Refusal> {
    const { provisioner } = this.#parts;
    const { session, record, limits, control, patience } = run;
    const late = phaseTimeout('provision', limits.provisionMs);
    return patience.ask(
      'provision',
      limits.provisionMs,
      (signal) => provisioner.provision(grant, lease, session, signal),
      async (dyno) => {
        if (!isRefusal(dyno)) await provisioner.release(dyno, outcomeOf(late, control.signal), record.usage);
      },
    );
  }

  async #runIn(dyno: Dyno, run: Run, lease: Lease | undefined): Promise<Outcome> {
    const { channel, record, limits, control } = run;
    const opened = await this.#open(dyno, run, lease);
    run.opened = opened;
    const { clock } = this.#parts;
    const stops = [awaitFirstByte(run, opened, limits.firstByteMs, clock), watchFlow(run, opened, limits, clock)];
    try {
      const exit = await record.timed('run', () => bridge(channel, opened, record.traffic, control.signal));
      return { kind: 'ran', exit };
    } finally {
      for (const stop of stops) stop();
      await this.#close(opened, lease);
    }
  }

  /** In a hurry once the lease has run out, as the next writer must find it gone; also where that happens meanwhile. */
  async #close(opened: DynoSession, lease: Lease | undefined): Promise<void> {
    if (lease === undefined) return opened.close();
    const unlink = onAbort(lease.lost, () => {
      void opened.close(lease.graceMs());
    });
    try {
      await opened.close();
    } finally {
      unlink();
    }
  }

  #open(dyno: Dyno, run: Run, lease: Lease | undefined): Promise<DynoSession> {
    const transport = this.#transportFor(dyno.link);
    const open = (signal: AbortSignal) => transport.open(dyno, signal);
    const close = (late: DynoSession) => this.#close(late, lease);
    return run.record.timed('connect', () =>
      this.#tellingOfTheStart(run, () => run.patience.ask('connect', run.limits.connectMs, open, close)),
    );
  }

  /** Says nothing of a start as quick as most are. */
  async #tellingOfTheStart<T>({ channel }: Run, start: () => Promise<T>): Promise<T> {
    const { clock } = this.#parts;
    const over = new AbortController();
    const words = (_: object, waitedMs: number) => startingWords(waitedMs);
    const started = async (onWaiting: (on: object) => void): Promise<T> => {
      const tell = () => onWaiting({});
      clock.sleep(FIRST_START_NOTICE_MS, over.signal).then(tell, () => undefined);
      try {
        return await start();
      } finally {
        over.abort();
      }
    };
    return tellWhileWaiting(channel.stderr, clock, words, started, START_NOTICE_EVERY_MS);
  }

  /** A success that could not be concluded is a fault; any other outcome stands, and the fault is recorded beside it. */
  async #release(dyno: Dyno, outcome: Outcome, record: SessionRecord): Promise<Outcome> {
    try {
      await record.timed('release', () => this.#parts.provisioner.release(dyno, outcome, record.usage));
      return outcome;
    } catch (error) {
      const isSuccess = outcome.kind === 'ran' && outcome.exit.kind === 'code' && outcome.exit.code === 0;
      if (isSuccess) return outcomeOfError(error);
      this.#parts.observer.record({ type: 'fault', fault: faultFacts(error), ...record.ids });
      return outcome;
    }
  }

  #transportFor(link: DynoLink): Transport {
    const transport = this.#parts.transports.find(({ kind }) => kind === link.kind);
    if (transport === undefined) {
      throw new Fault('GM_BAD_ANSWER', 'connect', `no transport serves links of the kind ${link.kind}`);
    }
    return transport;
  }
}
