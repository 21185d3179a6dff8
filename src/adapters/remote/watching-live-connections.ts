import { isSameBinding } from '../../domain/key-binding.js';
import { isRefusal, type Refusal } from '../../domain/refusal.js';
import { Departure, type EndReason } from '../../domain/session-end.js';
import type { Caller } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import type { Authenticator } from '../../ports/authenticator.js';
import type { Clock } from '../../ports/clock.js';
import type { LiveConnection, LiveSession, LiveConnections } from '../../ports/live-connections.js';

/**
 * The connections of this process. A platform that is asked over a network tells nobody that a key was removed, so it is
 * asked again, from time to time, for the key or the certified user of each connection; a connection whose key has gone, or opens something
 * else now, ends then. What it
 * begins before is refused by access control, which asks each time.
 */
export class WatchingLiveConnections implements LiveConnections {
  readonly #authenticator: Authenticator;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #connections = new Set<WatchedConnection>();

  constructor(authenticator: Authenticator, clock: Clock, everyMs = 30_000) {
    this.#authenticator = authenticator;
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  add(caller: Caller): LiveConnection {
    const connection = new WatchedConnection(caller, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    void this.#watch(connection);
    return connection;
  }

  list(): readonly LiveConnection[] {
    return [...this.#connections];
  }

  async #watch(connection: WatchedConnection): Promise<void> {
    const { over } = connection;
    for (;;) {
      await this.#clock.sleep(this.#everyMs, over).catch(() => undefined);
      if (over.aborted) return;
      const reason = await this.#changeOf(connection);
      if (reason !== undefined) connection.end(reason);
    }
  }

  /** Why a connection can't stay; an outage removes nobody. */
  async #changeOf({ caller, over }: WatchedConnection): Promise<EndReason | undefined> {
    try {
      const { user } = caller;
      const answer = await this.#identify(caller, over);
      if (isRefusal(answer) || answer.name !== user.name) return 'key-removed';
      return isSameBinding(answer.binding, user.binding) ? undefined : 'key-changed';
    } catch {
      return undefined;
    }
  }

  #identify({ user, key, certificate, connection }: Caller, signal: AbortSignal): Promise<User | Refusal> {
    return certificate === undefined
      ? this.#authenticator.identify(key, connection, signal)
      : this.#authenticator.identifyCertified({ user: user.name, key, certificate }, connection, signal);
  }
}

class WatchedConnection implements LiveConnection {
  readonly #end = new AbortController();
  readonly #over = new AbortController();
  readonly #sessions = new Set<LiveSession>();
  readonly #takeOff: () => void;
  readonly ended = this.#end.signal;
  /** Aborts when nobody needs to look after it any more. */
  readonly over = this.#over.signal;

  constructor(
    readonly caller: Caller,
    takeOff: () => void,
  ) {
    this.#takeOff = takeOff;
  }

  end(reason: EndReason): void {
    this.#end.abort(new Departure(reason));
    this.#over.abort();
  }

  addSession(session: LiveSession): { remove(): void } {
    this.#sessions.add(session);
    return { remove: () => void this.#sessions.delete(session) };
  }

  sessions(): readonly LiveSession[] {
    return [...this.#sessions];
  }

  remove(): void {
    this.#takeOff();
    this.#over.abort();
  }
}
