import { setMaxListeners } from 'node:events';
import type { AppNames } from '../domain/app-name.js';
import { forcedCommandOf } from '../domain/certificate-policy.js';
import type { DynosFull } from '../domain/dyno-queue.js';
import { isSameRequest, parseGitCommand, parseGitProtocol, type GitRequest } from '../domain/git-request.js';
import type { Grant } from '../domain/grant.js';
import { withinBinding } from '../domain/key-binding.js';
import { needsLock, type LockHolder, type LockMode } from '../domain/lock-policy.js';
import type { Proof } from '../domain/proof.js';
import { parseQuestion } from '../domain/question.js';
import { isRefusal, type Refusal } from '../domain/refusal.js';
import { Departure } from '../domain/session-end.js';
import type { Caller, Connection, Session } from '../domain/session.js';
import type { TimeLimits } from '../domain/time-limits.js';
import type { User } from '../domain/user.js';
import { verdictOf, type Outcome } from '../domain/verdict.js';
import { platformWords } from '../domain/words/lines.js';
import { drainNotice, dynoWaitingWords, waitingWords } from '../domain/words/progress.js';
import type { ClientChannel } from '../ports/client-channel.js';
import type { Ask, GitGateway } from '../ports/git-gateway.js';
import type { Lease, RepositoryLocks } from '../ports/repository-locks.js';
import type { LiveConnection, LiveConnections } from '../ports/live-connections.js';
import { heldBytes } from './bridge.js';
import { DynoRun, type DynoRunParts } from './dyno-run.js';
import type { DynoSlots } from './dyno-slots.js';
import type { DynoAnswer } from './dyno-wait.js';
import { onAbort } from './on-abort.js';
import { Patience } from './patience.js';
import type { ProofJudge } from './proof-judge.js';
import { outcomeOf, refused, type Run, type Visit } from './run.js';
import { SelfReports, type SelfReportsParts } from './self-reports.js';
import { endAfter } from './session-limits.js';
import { SessionRecord } from './session-record.js';
import { tellWhileWaiting } from './waiting-notices.js';

export interface ServeGitParts extends DynoRunParts, SelfReportsParts {
  readonly proofs: ProofJudge;
  readonly dynoSlots: DynoSlots;
  readonly connections: LiveConnections;
  readonly newSessionId: () => string;
  /** Those that hold for what begins now. */
  readonly limits: () => TimeLimits;
  /** Likewise. */
  readonly lockMode: () => LockMode;
  readonly appNames: AppNames;
}

const DRAINING: Refusal = { kind: 'draining' };

/** The one use case: authorise, lock, provision, connect, join, and give everything back. */
export class ServeGit implements GitGateway {
  readonly #parts: ServeGitParts;
  readonly #dynoRun: DynoRun;
  readonly #selfReports: SelfReports;
  readonly #drained = new AbortController();
  /** The sessions that wait for a dyno. */
  readonly #inQueue = new Set<string>();
  readonly #served = new Set<Promise<void>>();
  #isDraining = false;

  constructor(parts: ServeGitParts) {
    this.#parts = parts;
    // Every session listens; more than ten are no leak.
    setMaxListeners(0, this.#drained.signal);
    this.#dynoRun = new DynoRun(parts);
    this.#selfReports = new SelfReports(parts);
  }

  identify(proof: Proof, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    return this.#parts.lookups.identify(proof, connection, signal);
  }

  admit(caller: Caller): LiveConnection {
    const live = this.#parts.connections.add(caller);
    // It may have been taken back since it was proven: what looks through the connections did not find this one then.
    if (this.#parts.proofs.isTakenBack(caller)) live.end('key-revoked');
    return live;
  }

  /** Ends the connections of keys and certificates that were taken back. */
  endTakenBack(): void {
    const { connections, proofs } = this.#parts;
    for (const live of connections.list().filter(({ caller }) => proofs.isTakenBack(caller))) live.end('key-revoked');
  }

  /** From now on nothing new is begun, and nobody waits for a dyno; running sessions are told how long they have. */
  beginDrain(): void {
    this.#isDraining = true;
    this.#parts.dynoSlots.beginDrain();
    const sessions = this.#parts.connections.list().flatMap((live) => live.sessions());
    for (const session of sessions.filter(({ id }) => !this.#inQueue.has(id))) {
      session.notice(drainNotice(this.#parts.limits().drainMs));
    }
  }

  /** The time to finish is over. */
  endDrain(): void {
    this.#drained.abort(new Departure('drained'));
  }

  async serve(live: LiveConnection, ask: Ask, channel: ClientChannel): Promise<void> {
    const served = this.#serve(live, ask, channel);
    this.#served.add(served);
    try {
      await served;
    } finally {
      this.#served.delete(served);
    }
  }

  /** Resolves when nothing is served any more: what a client has left may still hold its dyno, its lock and its place. */
  async settled(): Promise<void> {
    while (this.#served.size > 0) await Promise.allSettled(this.#served);
  }

  async #serve(live: LiveConnection, ask: Ask, channel: ClientChannel): Promise<void> {
    const { clock, newSessionId, observer } = this.#parts;
    const [limits, lockMode] = [this.#parts.limits(), this.#parts.lockMode()];
    const { caller } = live;
    const record = new SessionRecord(newSessionId(), caller, clock);
    const control = new AbortController();
    const unlink = follow(control, channel.gone, live.ended, this.#drained.signal);
    const stopClock = endAfter(limits.sessionMs, clock, control);
    let outcome: Outcome;
    try {
      const patience = new Patience(clock, observer, record.ids, control.signal);
      outcome = await this.#answer(ask, { channel, live, record, limits, lockMode, control, patience });
    } catch (error) {
      outcome = outcomeOf(error, control.signal);
    } finally {
      stopClock();
      unlink();
    }
    const verdict = verdictOf(outcome, caller, record.id);
    if (verdict.answer !== undefined) channel.stdout.write(verdict.answer);
    await channel.finish(verdict);
    observer.record(record.ended(outcome, verdict));
  }

  async #answer(ask: Ask, visit: Visit): Promise<Outcome> {
    const { live, record, control } = visit;
    control.signal.throwIfAborted();
    const tooLate = refused(DRAINING);
    const forced = forcedCommandOf(live.caller.certificate);
    if (forced !== undefined && !(ask.kind === 'command' && isSameRequest(ask.command, forced, this.#parts.appNames))) {
      return refused({ kind: 'forced-command', forced });
    }
    if (ask.kind === 'shell') return this.#isDraining ? tooLate : this.#selfReports.greet(visit);
    const question = parseQuestion(ask.command);
    if (question !== undefined)
      return this.#selfReports.answer(question, visit, this.#isDraining ? DRAINING : undefined);
    const command = parseGitCommand(ask.command, this.#parts.appNames);
    if (isRefusal(command)) return refused(command);
    const request: GitRequest = { ...command, protocol: parseGitProtocol(ask.gitProtocol ?? '') ?? 0 };
    record.request = request;
    if (this.#isDraining) return tooLate;
    const session: Session = { id: record.id, caller: live.caller, request };
    return this.#serveRequest({ session, ...visit });
  }

  async #serveRequest(run: Run): Promise<Outcome> {
    const listed = this.#list(run);
    try {
      return await this.#serveListed(run);
    } finally {
      listed.remove();
    }
  }

  async #serveListed(run: Run): Promise<Outcome> {
    const { session, record, limits, patience } = run;
    const grant = await record.timed('authorize', () =>
      patience.ask('authorize', limits.authorizeMs, (signal) => this.#authorize(session, signal)),
    );
    if (isRefusal(grant)) {
      this.#parts.penaltyBook.refused(session.caller, grant);
      return refused(grant);
    }
    run.app = grant.app;
    const stopClock = endAfter(grant.limits?.sessionMs, this.#parts.clock, run.control);
    try {
      return await this.#serveGranted(run, grant);
    } finally {
      stopClock();
    }
  }

  /** Who has to pause, or is too fast, is not asked about. */
  async #authorize(session: Session, signal: AbortSignal): Promise<Grant | Refusal> {
    const { penaltyBook, accessControl, lookups } = this.#parts;
    const { caller, request } = session;
    const over = lookups.refusalOf(caller);
    if (over !== undefined) return over.kind === 'unknown-key' ? { kind: 'key-removed' } : over;
    const refusal = await penaltyBook.refusalOfSession(caller, request.app);
    if (refusal !== undefined) return refusal;
    signal.throwIfAborted();
    return withinBinding(caller.user, request, await accessControl.authorize(session, signal));
  }

  /** From here on it is running: told of a drain, and shown to whoever lists sessions. */
  #list(run: Run): { remove(): void } {
    const { session, channel, live, record, control } = run;
    return live.addSession({
      id: session.id,
      get app() {
        return run.app ?? session.request.app;
      },
      service: session.request.service,
      since: this.#parts.clock.now(),
      get phase() {
        return record.phase;
      },
      get bytesIn() {
        return record.traffic.bytesIn;
      },
      get bytesOut() {
        return record.traffic.bytesOut;
      },
      end: (reason) => {
        control.abort(new Departure(reason));
      },
      notice: (words) => {
        if (!channel.stderr.destroyed && !channel.stderr.writableNeedDrain) channel.stderr.write(words);
      },
      heldBytes: () => (run.opened === undefined ? channel.heldBytes() : heldBytes(channel, run.opened)),
    });
  }

  async #serveGranted(run: Run, grant: Grant): Promise<Outcome> {
    const { session, channel, record, control } = run;
    if (grant.notice !== undefined) channel.stderr.write(platformWords(grant.notice));
    if (!needsLock(session.request.service)) return this.#inSlot(run, grant, undefined);

    const lease = await record.timed('lock', () => this.#lock(run, grant));
    if (isRefusal(lease)) return refused(lease);
    const unlink = follow(control, lease.recalled, lease.lost);
    try {
      return await this.#inSlot(run, grant, lease);
    } finally {
      unlink();
      await lease.release();
    }
  }

  async #lock(run: Run, grant: Grant): ReturnType<RepositoryLocks['acquire']> {
    const { locks, clock } = this.#parts;
    const { session, channel, limits, patience } = run;
    const holder: LockHolder = { user: session.caller.user.name, session: session.id, since: clock.now() };
    const mode = grant.lockMode ?? run.lockMode;
    const words = (other: LockHolder, waitedMs: number) => waitingWords(grant.app, other, mode, waitedMs);
    const waitMs = Math.min(limits.lockWaitMs, grant.limits?.lockWaitMs ?? Infinity);
    const acquire = (onWaiting: (holder: LockHolder) => void) => (signal: AbortSignal) =>
      locks.acquire(grant.app, holder, mode, waitMs, onWaiting, signal);
    const giveBack = async (late: Awaited<ReturnType<RepositoryLocks['acquire']>>) => {
      if (!isRefusal(late)) await late.release();
    };
    return tellWhileWaiting(channel.stderr, clock, words, (onWaiting) =>
      patience.ask('lock', undefined, acquire(onWaiting), giveBack),
    );
  }

  /** Last before the dyno itself, so that a push that waits for its lock takes no dyno from anybody. */
  async #inSlot(run: Run, grant: Grant, lease: Lease | undefined): Promise<Outcome> {
    const place = await run.record.timed('queue', () => this.#takeSlot(run));
    if (isRefusal(place)) return refused(place);
    try {
      return await this.#dynoRun.serve(run, grant, lease);
    } finally {
      await place.leave();
    }
  }

  async #takeSlot({ session, channel, control }: Run): Promise<DynoAnswer> {
    const { clock, dynoSlots } = this.#parts;
    try {
      return await tellWhileWaiting(channel.stderr, clock, dynoWaitingWords, (onWaiting) => {
        const onQueued = (full: DynosFull) => {
          this.#inQueue.add(session.id);
          onWaiting(full);
        };
        return dynoSlots.take(session.caller, onQueued, control.signal);
      });
    } finally {
      this.#inQueue.delete(session.id);
    }
  }
}

/** Aborts `control` with the reason of whichever signal aborts first; returns how to stop. */
function follow(control: AbortController, ...signals: AbortSignal[]): () => void {
  const stops = signals.map((signal) =>
    onAbort(signal, () => {
      control.abort(signal.reason);
    }),
  );
  return () => {
    for (const stop of stops) stop();
  };
}
