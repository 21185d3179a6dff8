import { isWrite, type GitRequest } from './git-request.js';
import type { Grant } from './grant.js';
import type { Refusal } from './refusal.js';
import type { User } from './user.js';

/** What a platform knows of one app. */
export interface AppFacts {
  readonly name: string;
  readonly owner: string;
  /** What this user was given on the app, being not its owner. */
  readonly shared?: 'read' | 'write';
  /** Whether `git archive --remote` is allowed. */
  readonly archive: boolean;
  readonly branch?: string;
}

/** The platform's rule for pushes to apps that do not exist. */
export interface CreationRule {
  /** Whether such a push creates the app. */
  readonly onPush: boolean;
  /** How many apps one user may own. */
  readonly limit: number;
}

/** Names of new apps on a platform that keeps them lower case, so that no two differ by case alone. */
const NEW_APP_NAME = /^[a-z0-9][a-z0-9@_-]{0,62}$/;

export function isNewAppName(name: string): boolean {
  return NEW_APP_NAME.test(name);
}

/**
 * May this user make this request?
 *
 * `facts` is what the platform knows of the app, undefined when there is none; `owned` how many apps the user owns.
 * Unknown and forbidden give the same refusal. While pushes may create apps, a pusher learns by success or refusal
 * whether a name is taken; a reader never does.
 */
export function decideAccess(
  user: User,
  request: GitRequest,
  facts: AppFacts | undefined,
  creation: CreationRule,
  owned: number,
): Grant | Refusal {
  const write = isWrite(request.service);
  if (facts === undefined) {
    if (!write || !creation.onPush) return noAccess(request);
    if (!isNewAppName(request.app)) return { kind: 'invalid-app-name', app: request.app };
    if (owned >= creation.limit) return { kind: 'too-many-apps', app: request.app, limit: creation.limit };
    return { app: request.app, access: 'write', creates: true };
  }
  const access = facts.owner === user.name ? 'write' : facts.shared;
  if (access === undefined || (write && access === 'read')) return noAccess(request);
  if (request.service === 'git-upload-archive' && !facts.archive) return { kind: 'archive-off', app: facts.name };
  return {
    app: facts.name,
    access: write ? 'write' : 'read',
    creates: false,
    ...(facts.branch === undefined ? {} : { branch: facts.branch }),
  };
}

function noAccess(request: GitRequest): Refusal {
  return { kind: 'no-access', app: request.app, service: request.service };
}
