import type { Phase } from './events.js';
import type { GitService } from './git-request.js';

/** One live session as operators see it, whichever gitmouth serves it. */
export interface ListedSession {
  readonly id: string;
  /** Which gitmouth serves it: host name and process id. */
  readonly gitmouth: string;
  readonly user: string;
  readonly app: string;
  readonly service: GitService;
  readonly phase: Phase;
  /** When it began, in milliseconds since the epoch. */
  readonly since: number;
  /** From the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The client's address. */
  readonly address: string;
  /** What the client calls its software, printable. */
  readonly software: string;
}

/** A gitmouth says so often what it serves, … */
export const REPORT_EVERY_MS = 1_000;

/** … and what it said holds so long without being said again: it is dead, or can't be asked to end anything. */
export const REPORT_LASTS_MS = 10_000;

/** Those that have run longest come first. */
export function inOrder(sessions: readonly ListedSession[]): readonly ListedSession[] {
  return [...sessions].sort((one, other) => one.since - other.since || (one.id < other.id ? -1 : 1));
}

const FIELDS: Readonly<Record<keyof ListedSession, 'string' | 'number'>> = {
  id: 'string',
  gitmouth: 'string',
  user: 'string',
  app: 'string',
  service: 'string',
  phase: 'string',
  since: 'number',
  bytesIn: 'number',
  bytesOut: 'number',
  address: 'string',
  software: 'string',
};

/** Sessions as a gitmouth has written them, as JSON; what another version of it means by more or less is passed over. */
export function readListed(text: string): readonly ListedSession[] {
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? value.filter(isListed) : [];
}

function isListed(value: unknown): value is ListedSession {
  if (typeof value !== 'object' || value === null) return false;
  const facts = new Map<string, unknown>(Object.entries(value));
  return Object.entries(FIELDS).every(([name, type]) => typeof facts.get(name) === type);
}
