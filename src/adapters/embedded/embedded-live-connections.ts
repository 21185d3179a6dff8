import { Departure, type EndReason } from '../../domain/session-end.js';
import type { Caller } from '../../domain/session.js';
import type { LiveConnection, LiveSession, LiveConnections } from '../../ports/live-connections.js';
import type { Database } from '../sqlite/database.js';
import { latestRevocation, revocationsAfter, type Revocation } from './revocations.js';

const POLL_MS = 250;

/** The connections of this process, ended when any process on the same database removes their user or key. */
export class EmbeddedLiveConnections implements LiveConnections {
  readonly #db: Database;
  readonly #connections = new Set<Registered>();
  readonly #timer: NodeJS.Timeout;
  #seen: number;

  constructor(db: Database, pollMs = POLL_MS) {
    this.#db = db;
    this.#seen = latestRevocation(db);
    this.#timer = setInterval(() => this.#watch(), pollMs).unref();
  }

  add(caller: Caller): LiveConnection {
    const connection = new Registered(caller, this.#latest(), () => this.#connections.delete(connection));
    // On the list first, then the check: a removal is either seen by the check, or comes after it and is watched for.
    this.#connections.add(connection);
    const removed = this.#removalOf(caller);
    if (removed !== undefined) connection.end(removed);
    return connection;
  }

  list(): readonly LiveConnection[] {
    return [...this.#connections];
  }

  /** Stops watching. */
  close(): void {
    clearInterval(this.#timer);
  }

  /**
   * One look-up by primary key, four times a second. `PRAGMA data_version` would say as much, but not of what this
   * very connection wrote.
   */
  #watch(): void {
    let revocations: readonly Revocation[];
    try {
      revocations = revocationsAfter(this.#db, this.#seen);
    } catch {
      // Nothing is lost: the next turn reads the same rows, and each new request asks the database for itself.
      return;
    }
    for (const revocation of revocations) {
      this.#seen = revocation.id;
      for (const connection of this.#connections) connection.obey(revocation);
    }
  }

  #latest(): number {
    try {
      return latestRevocation(this.#db);
    } catch {
      return this.#seen;
    }
  }

  /** Not knowing is no reason to end a connection: each request over it is authorized anew. */
  #removalOf({ key, certificate, user }: Caller): EndReason | undefined {
    try {
      const there = this.#db.prepare('SELECT 1 FROM users WHERE name = ?').get(user.name);
      if (there === undefined) return 'user-removed';
      if (certificate !== undefined) return undefined;
      const held = this.#db.prepare('SELECT 1 FROM keys WHERE sha256 = ? AND user = ?').get(key.sha256, user.name);
      return held === undefined ? 'key-removed' : undefined;
    } catch {
      return undefined;
    }
  }
}

class Registered implements LiveConnection {
  readonly caller: Caller;
  readonly #since: number;
  readonly #forget: () => void;
  readonly #ending = new AbortController();
  readonly #sessions = new Set<LiveSession>();

  /** @param since the latest revocation before it: earlier ones meant a user or key that has been added anew. */
  constructor(caller: Caller, since: number, forget: () => void) {
    this.caller = caller;
    this.#since = since;
    this.#forget = forget;
  }

  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  obey({ id, user, key }: Revocation): void {
    if (id <= this.#since || user !== this.caller.user.name) return;
    const { key: shown, certificate } = this.caller;
    if (key === null) this.end('user-removed');
    // What a certificate says of a key holds whatever is registered.
    else if (certificate === undefined && key === shown.sha256) this.end('key-removed');
  }

  end(reason: EndReason): void {
    // A second abort has no effect: the first reason stands.
    this.#ending.abort(new Departure(reason));
  }

  addSession(session: LiveSession): { remove(): void } {
    this.#sessions.add(session);
    return { remove: () => this.#sessions.delete(session) };
  }

  sessions(): readonly LiveSession[] {
    return [...this.#sessions];
  }

  remove(): void {
    this.#forget();
  }
}
