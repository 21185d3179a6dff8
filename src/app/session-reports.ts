import { REPORT_EVERY_MS, type ListedSession } from '../domain/listed-session.js';
import { printable } from '../domain/words/printable.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import type { SessionRegistry } from '../ports/session-registry.js';
import type { LiveConnection, LiveSession, LiveConnections } from '../ports/live-connections.js';

export interface SessionReportsParts {
  readonly registry: SessionRegistry;
  readonly connections: LiveConnections;
  readonly clock: Clock;
  readonly observer: Observer;
  /** What operators know this gitmouth by. */
  readonly gitmouth: string;
}

/** A database that another process holds for a moment is not away. */
const FAILURES_TOLD = 3;

/**
 * Shows operators what is served here, second by second, and ends what they ask to end. A state that is away disturbs no
 * session: it is told of once when it stays away, and again after it was there in between.
 */
export class SessionReports {
  readonly #parts: SessionReportsParts;
  readonly #stopped = new AbortController();
  #reporting: Promise<void> | undefined;
  #failures = 0;

  constructor(parts: SessionReportsParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#reporting ??= this.#keepReporting();
  }

  /** Resolves when nothing of this gitmouth is shown any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#reporting;
    await this.#parts.registry.close();
  }

  async #keepReporting(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#report();
      await this.#parts.clock.sleep(REPORT_EVERY_MS, signal).catch(() => undefined);
    }
  }

  async #report(): Promise<void> {
    const { registry, connections, observer, gitmouth } = this.#parts;
    const sessions = connections.list().flatMap((live) => live.sessions().map((session) => ({ live, session })));
    try {
      const asked = await registry.report(sessions.map(({ live, session }) => listed(gitmouth, live, session)));
      this.#failures = 0;
      for (const { session } of sessions) if (asked.includes(session.id)) session.end('operator');
    } catch (error) {
      const message = 'live sessions can not be shown to operators, nor ended by them, until the state is there again';
      this.#failures += 1;
      if (this.#failures === FAILURES_TOLD) observer.record({ type: 'problem', message, error });
    }
  }
}

function listed(gitmouth: string, { caller }: LiveConnection, session: LiveSession): ListedSession {
  const { id, app, service, phase, since, bytesIn, bytesOut } = session;
  const { address, software } = caller.connection;
  const user = caller.user.name;
  return { id, gitmouth, user, app, service, phase, since, bytesIn, bytesOut, address, software: printable(software) };
}
