import { isWrite, type GitRequest } from './git-request.js';
import type { AppAccess, Grant } from './grant.js';
import { isRefusal, type Refusal } from './refusal.js';
import type { User } from './user.js';

/** What a key is good for, where that is less than all its user may do: a deploy key. */
export interface KeyBinding {
  /** The apps it opens, by their own names; all of its user's where it names none. */
  readonly apps?: readonly string[];
  /** `read`: it never pushes. */
  readonly access?: 'read' | 'write';
}

/**
 * What a user is granted, cut down to what the key they hold is good for.
 *
 * A key that is bound to apps learns of no other app whether it exists: whatever the platform says of one, and what the
 * key does not open, read the same. Only what holds for all apps is told.
 */
export function withinBinding({ binding }: User, request: GitRequest, answer: Grant | Refusal): Grant | Refusal {
  if (binding === undefined) return answer;
  const { app, service } = request;
  if (isRefusal(answer)) {
    return opens(binding, app) || isOfAllApps(answer) ? answer : { kind: 'key-bound', app, to: 'apps' };
  }
  if (!opens(binding, answer.app)) return { kind: 'key-bound', app, to: 'apps' };
  if (binding.access !== 'read') return answer;
  return isWrite(service) ? { kind: 'key-bound', app, to: 'read' } : { ...answer, access: 'read' };
}

function isOfAllApps(refusal: Refusal): boolean {
  return refusal.kind === 'key-removed' || (refusal.kind === 'platform' && refusal.reason === 'maintenance');
}

/** Whether two keys, or one at two times, open the same. */
export function isSameBinding(one: KeyBinding | undefined, other: KeyBinding | undefined): boolean {
  const told = (binding: KeyBinding | undefined) => {
    const { apps, access = 'write' } = binding ?? {};
    return [access, ...(apps === undefined ? ['all'] : ['these', ...[...apps].sort()])].join(' ');
  };
  return told(one) === told(other);
}

/** Of a user's apps those that the key they hold opens, and how far. */
export function listWithinBinding({ binding }: User, apps: readonly AppAccess[]): readonly AppAccess[] {
  if (binding === undefined) return apps;
  const opened = apps.filter(({ app }) => opens(binding, app));
  return binding.access === 'read' ? opened.map(({ app }) => ({ app, access: 'read' })) : opened;
}

function opens({ apps }: KeyBinding, app: string): boolean {
  return apps?.includes(app) ?? true;
}
