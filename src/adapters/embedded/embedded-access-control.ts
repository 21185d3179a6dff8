import { decideAccess, type AppFacts, type CreationRule } from '../../domain/access-policy.js';
import type { AppAccess, Grant } from '../../domain/grant.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Caller, Session } from '../../domain/session.js';
import type { AccessControl } from '../../ports/access-control.js';
import { asking } from '../sqlite/asking.js';
import type { Database } from '../sqlite/database.js';

interface Asked {
  readonly key: string;
  /** Whether it is a certificate that says whose key it is, and no entry. */
  readonly certified: 0 | 1;
  readonly user: string;
  readonly app: string;
}

interface Answer {
  readonly held: number;
  readonly name: string | null;
  readonly owner: string | null;
  readonly branch: string | null;
  readonly archive: number | null;
  readonly shared: 'read' | 'write' | null;
  readonly owned: number;
}

// Always one row, found by the same work whether the app is there, foreign or missing. A provisional app of the
// caller's own does not exist yet: the push that waits for the one that makes it may have to make it anew.
const QUESTION = `
  SELECT
    CASE WHEN @certified
      THEN EXISTS (SELECT 1 FROM users WHERE name = @user)
      ELSE EXISTS (SELECT 1 FROM keys WHERE sha256 = @key AND user = @user)
    END AS held,
    app.name, app.owner, app.branch, app.archive,
    (SELECT access FROM shares WHERE app = @app AND user = @user) AS shared,
    (SELECT count(*) FROM apps WHERE owner = @user AND NOT (provisional AND name = @app)) AS owned
  FROM (SELECT 1)
    LEFT JOIN apps AS app ON app.name = @app AND NOT (app.provisional AND app.owner = @user)
`;

const LIST = `
  SELECT name AS app, 'write' AS access FROM apps WHERE owner = @user AND NOT provisional
  UNION ALL
  SELECT app, access FROM shares WHERE user = @user
  ORDER BY app
`;

/** Decides by the database as it is at this moment, so that a removal counts over connections of any age. */
export class EmbeddedAccessControl implements AccessControl {
  readonly #ask: (caller: Caller, app: string) => Answer | undefined;
  readonly #listOf: (user: string) => readonly AppAccess[];
  readonly #creation: CreationRule;

  constructor(db: Database, creation: CreationRule) {
    const question = db.prepare<[Asked], Answer>(QUESTION);
    this.#ask = ({ key, certificate, user }, app) =>
      question.get({ key: key.sha256, certified: certificate === undefined ? 0 : 1, user: user.name, app });
    const list = db.prepare<[{ user: string }], AppAccess>(LIST);
    this.#listOf = (user) => Array.from(list.all({ user }), ({ app, access }) => ({ app, access }));
    this.#creation = creation;
  }

  async authorize({ caller, request }: Session, signal: AbortSignal): Promise<Grant | Refusal> {
    signal.throwIfAborted();
    const answer = asking('authorize', () => this.#ask(caller, request.app));
    if (answer === undefined || answer.held === 0) return { kind: 'key-removed' };
    return decideAccess(caller.user, request, factsOf(answer), this.#creation, answer.owned);
  }

  async list({ user }: Caller, signal: AbortSignal): Promise<readonly AppAccess[]> {
    signal.throwIfAborted();
    return asking('authorize', () => this.#listOf(user.name));
  }
}

function factsOf(answer: Answer): AppFacts | undefined {
  if (answer.name === null || answer.owner === null) return undefined;
  return {
    name: answer.name,
    owner: answer.owner,
    archive: answer.archive === 1,
    ...(answer.shared === null ? {} : { shared: answer.shared }),
    ...(answer.branch === null ? {} : { branch: answer.branch }),
  };
}
