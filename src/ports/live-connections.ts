import type { Phase } from '../domain/events.js';
import type { GitService } from '../domain/git-request.js';
import type { EndReason } from '../domain/session-end.js';
import type { Caller } from '../domain/session.js';

/** Who is connected and what is being served, for those who list it and those who end it. */
export interface LiveConnections {
  /**
   * Registers a proven caller's connection. When the key or user was removed between the look-up and now, `ended`
   * of the returned registration is already aborted.
   */
  add(caller: Caller): LiveConnection;
  /** The connections of this process. */
  list(): readonly LiveConnection[];
}

export interface LiveConnection {
  readonly caller: Caller;
  /** Aborts, with a Departure as its reason, when the connection and all on it must end. */
  readonly ended: AbortSignal;
  /** Ends it. The first reason stands. */
  end(reason: EndReason): void;
  addSession(session: LiveSession): { remove(): void };
  sessions(): readonly LiveSession[];
  /** Takes the connection off the list. Idempotent. */
  remove(): void;
}

export interface LiveSession {
  readonly id: string;
  readonly app: string;
  readonly service: GitService;
  /** When it began, in milliseconds since the epoch. */
  readonly since: number;
  /** What it does now. */
  readonly phase: Phase;
  /** Until now: from the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Ends it alone, with the reason's words to its client. The first reason stands. */
  end(reason: EndReason): void;
  /** Words to the session's user on standard error, as far as the client takes them. */
  notice(words: string): void;
  /** Bytes held for it on our side: what the client's channel and the dyno's pipes have queued. */
  heldBytes(): number;
}
