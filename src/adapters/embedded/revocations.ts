/** Who lost their place: written with the removal itself, read by every server that shares the database. */
import type { Database } from '../sqlite/database.js';

export interface Revocation {
  readonly id: number;
  readonly user: string;
  /** SHA-256 fingerprint of the one key that was removed; null when the whole user was. */
  readonly key: string | null;
}

/** Any server has read a revocation long before that. */
const KEPT_MS = 24 * 3600 * 1000;

/** To be called inside the transaction that removes the user or key. */
export function revoke(db: Database, what: { user: string; key?: string }, now: number): void {
  db.prepare('DELETE FROM revocations WHERE at < ?').run(now - KEPT_MS);
  db.prepare('INSERT INTO revocations (user, key, at) VALUES (?, ?, ?)').run(what.user, what.key ?? null, now);
}

/** The id of the latest revocation there ever was. */
export function latestRevocation(db: Database): number {
  const row = db.prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'revocations'").get();
  return row?.seq ?? 0;
}

export function revocationsAfter(db: Database, id: number): readonly Revocation[] {
  return db.prepare<[number], Revocation>('SELECT id, user, key FROM revocations WHERE id > ? ORDER BY id').all(id);
}
