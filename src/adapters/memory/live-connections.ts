import { Departure, type EndReason } from '../../domain/session-end.js';
import type { Caller } from '../../domain/session.js';
import type { LiveConnection, LiveSession, LiveConnections } from '../../ports/live-connections.js';
import type { MemoryPlatform } from './platform.js';

export class MemoryLiveConnections implements LiveConnections {
  readonly #connections = new Set<LiveConnection>();

  constructor(private readonly platform: MemoryPlatform) {
    platform.onRemoval(() => this.#connections.forEach((connection) => this.#check(connection)));
  }

  add(caller: Caller): LiveConnection {
    const connection = new MemoryLiveConnection(caller, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    this.#check(connection);
    return connection;
  }

  list(): readonly LiveConnection[] {
    return [...this.#connections];
  }

  #check(connection: LiveConnection): void {
    const reason = this.platform.removalOf(connection.caller);
    if (reason !== undefined) connection.end(reason);
  }
}

class MemoryLiveConnection implements LiveConnection {
  readonly #end = new AbortController();
  readonly #sessions = new Set<LiveSession>();
  readonly ended = this.#end.signal;

  constructor(
    readonly caller: Caller,
    readonly remove: () => void,
  ) {}

  end(reason: EndReason): void {
    this.#end.abort(new Departure(reason));
  }

  addSession(session: LiveSession): { remove(): void } {
    this.#sessions.add(session);
    return { remove: () => void this.#sessions.delete(session) };
  }

  sessions(): readonly LiveSession[] {
    return [...this.#sessions];
  }
}
