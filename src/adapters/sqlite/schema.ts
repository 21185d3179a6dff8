/**
 * The tables, as numbered migrations: the database's `user_version` is how many of them it has seen. A released
 * migration is never changed; a new one is added at the end.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE users (
    name TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE keys (
    sha256 TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    algorithm TEXT NOT NULL,
    blob BLOB NOT NULL,
    comment TEXT NOT NULL,
    added_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX keys_by_user ON keys (user);

  -- A provisional app was made by a push that has not ended yet: its name is taken, but it counts as no app so far.
  CREATE TABLE apps (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL REFERENCES users (name) ON DELETE RESTRICT,
    branch TEXT,
    archive INTEGER NOT NULL DEFAULT 0 CHECK (archive IN (0, 1)),
    provisional INTEGER NOT NULL DEFAULT 0 CHECK (provisional IN (0, 1)),
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX apps_by_owner ON apps (owner);

  CREATE TABLE shares (
    app TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    access TEXT NOT NULL CHECK (access IN ('read', 'write')),
    PRIMARY KEY (app, user)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX shares_by_user ON shares (user);

  CREATE TABLE leases (
    app TEXT PRIMARY KEY,
    token INTEGER NOT NULL,
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    since INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    place TEXT,
    pid INTEGER NOT NULL,
    started TEXT
  ) STRICT;

  -- Apart from the leases, so that tokens grow for ever and for destroyed apps too.
  CREATE TABLE lease_tokens (
    app TEXT PRIMARY KEY,
    last INTEGER NOT NULL
  ) STRICT;

  -- Removed users and keys, for the servers that have their connections. Without AUTOINCREMENT an id could come again.
  CREATE TABLE revocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    key TEXT,
    at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Why the holder is asked to let go, where it is.
  ALTER TABLE leases ADD COLUMN recall TEXT CHECK (recall IN ('superseded', 'lock-released'));

  -- Those who wait for a lease, in the order of their turns; who has not asked again until then is gone.
  CREATE TABLE lease_waiters (
    app TEXT NOT NULL,
    ticket TEXT NOT NULL,
    turn INTEGER NOT NULL,
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    gone_at INTEGER NOT NULL,
    place TEXT,
    pid INTEGER NOT NULL,
    started TEXT,
    PRIMARY KEY (app, ticket)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE penalties (
    subject TEXT PRIMARY KEY,
    until INTEGER NOT NULL,
    enforced INTEGER NOT NULL CHECK (enforced IN (0, 1)),
    offence TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX penalties_by_end ON penalties (until);

  -- As rate-limiter-flexible has it.
  CREATE TABLE rates (
    key TEXT PRIMARY KEY,
    points INTEGER NOT NULL DEFAULT 0,
    expire INTEGER
  ) STRICT;
  `,
  `
  -- What each gitmouth serves, as JSON, until it says so anew; and the sessions that somebody has asked to end.
  CREATE TABLE session_reports (
    owner TEXT PRIMARY KEY,
    sessions TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    place TEXT,
    pid INTEGER NOT NULL,
    started TEXT
  ) STRICT;

  CREATE TABLE session_ends (
    id TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Whether a security key must have verified its user, by a PIN or a fingerprint.
  ALTER TABLE keys ADD COLUMN verify_required INTEGER NOT NULL DEFAULT 0 CHECK (verify_required IN (0, 1));
  `,
];
