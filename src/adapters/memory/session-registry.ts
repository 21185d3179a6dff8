import { inOrder, REPORT_LASTS_MS, type ListedSession } from '../../domain/listed-session.js';
import type { Clock } from '../../ports/clock.js';
import type { SessionRegistry } from '../../ports/session-registry.js';
import { Trouble } from './trouble.js';

/** What several handles share, as processes share a database. */
export class MemorySessionState {
  readonly reports = new Map<MemorySessionRegistry, { sessions: readonly ListedSession[]; until: number }>();
  readonly asked = new Set<string>();
}

export class MemorySessionRegistry implements SessionRegistry {
  readonly trouble = new Trouble();

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly state = new MemorySessionState(),
  ) {}

  async report(own: readonly ListedSession[]): Promise<readonly string[]> {
    this.trouble.strike();
    this.state.reports.set(this, { sessions: own, until: this.clock.now() + REPORT_LASTS_MS });
    return own.map(({ id }) => id).filter((id) => this.state.asked.has(id));
  }

  async list(): Promise<readonly ListedSession[]> {
    this.trouble.strike();
    const current = [...this.state.reports.values()].filter(({ until }) => until > this.clock.now());
    return inOrder(current.flatMap(({ sessions }) => sessions));
  }

  async end(id: string): Promise<boolean> {
    const isThere = (await this.list()).some((session) => session.id === id);
    if (isThere) this.state.asked.add(id);
    return isThere;
  }

  async close(): Promise<void> {
    this.state.reports.delete(this);
  }
}
