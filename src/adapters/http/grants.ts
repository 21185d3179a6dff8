/** A platform's yes or no to one request. */
import { z } from 'zod';
import { isBranchName } from '../../domain/branch-name.js';
import { environmentProblem, MAX_ENVIRONMENT_VARIABLES } from '../../domain/environment.js';
import { isWrite, type GitRequest } from '../../domain/git-request.js';
import type { Grant, GrantLimits } from '../../domain/grant.js';
import { LOCK_MODES } from '../../domain/lock-policy.js';
import type { PlatformReason, Refusal } from '../../domain/refusal.js';
import { printable } from '../../domain/words/printable.js';
import type { Answer } from '../remote/http-caller.js';
import { Trouble } from '../remote/trouble.js';
import { access, appName, bodyOf } from './answers.js';

/** What is more of a text is cut: a refusal that talks too much is a refusal all the same. */
const LONGEST_TEXT = 4_000;
const LONGEST_REFERENCE = 512;
const LONGEST_LIMIT_SECONDS = 30 * 24 * 3600;
const MOST_APPS = 1_000_000;

const PLATFORM_REASONS = [
  'maintenance',
  'read-only',
  'renamed',
  'suspended',
  'limit',
  'other',
] as const satisfies readonly PlatformReason[];

const text = z
  .string()
  .refine((words) => words.trim() !== '', 'says nothing')
  .transform((words) => (words.length > LONGEST_TEXT ? `${words.slice(0, LONGEST_TEXT)}…` : words));

/** Without a text it is told in gitmouth's own words: "no access" reads the same for apps that are not there. */
export const refusalBody = z.discriminatedUnion('reason', [
  z.strictObject({ reason: z.enum(['no-access', 'key-removed', 'archive-off', 'invalid-app-name']) }),
  z.strictObject({ reason: z.literal('too-many-apps'), limit: z.int().min(0).max(MOST_APPS) }),
  z.strictObject({ reason: z.enum(PLATFORM_REASONS), text }),
]);

const variable = z.strictObject({ name: z.string(), value: z.string(), secret: z.boolean() });

const environment = z
  .array(variable)
  .max(MAX_ENVIRONMENT_VARIABLES)
  .check((given) => {
    const names = new Set<string>();
    for (const [index, { name, ...rest }] of given.value.entries()) {
      const problem = names.has(name) ? 'is set twice' : environmentProblem({ name, ...rest });
      names.add(name);
      if (problem === undefined) continue;
      // By name and never by value, which may be secret.
      const message = `the variable '${printable(name, 64)}': ${problem}`;
      given.issues.push({ code: 'custom', message, path: [index], input: name });
    }
  });

const seconds = (least: number) => z.int().min(least).max(LONGEST_LIMIT_SECONDS);

const grantBody = z.strictObject({
  app: appName,
  access,
  lock_mode: z.enum(LOCK_MODES).optional(),
  creates: z.boolean().default(false),
  branch: z.string().refine(isBranchName, 'is no name of a branch').optional(),
  notice: text.optional(),
  limits: z
    .strictObject({ lock_wait_seconds: seconds(0).optional(), session_seconds: seconds(1).optional() })
    .optional(),
  environment: environment.optional(),
  reference: z.string().min(1).max(LONGEST_REFERENCE).optional(),
});

const authorizeBody = z
  .strictObject({ grant: grantBody.optional(), refusal: refusalBody.optional() })
  .refine(
    ({ grant, refusal }) => (grant === undefined) !== (refusal === undefined),
    'is to be one grant or one refusal',
  );

/** @param request what was asked for. */
export function grantOf(answer: Answer, request: GitRequest): Grant | Refusal {
  const { grant, refusal } = bodyOf(authorizeBody, answer);
  if (refusal !== undefined) return refusalOf(refusal, request);
  if (grant === undefined) throw Trouble.wrong('its answer is neither a grant nor a refusal');
  const writes = isWrite(request.service);
  if (grant.creates && !writes) throw Trouble.wrong('it would create an app for who only reads it');
  if (writes && grant.access === 'read') return { kind: 'no-access', app: request.app, service: request.service };
  const { branch, notice, limits, reference } = grant;
  return {
    app: grant.app,
    // What the user may do is more than what they asked to do.
    access: writes ? 'write' : 'read',
    creates: grant.creates,
    ...(grant.lock_mode === undefined ? {} : { lockMode: grant.lock_mode }),
    ...(branch === undefined ? {} : { branch }),
    ...(notice === undefined ? {} : { notice }),
    ...(limits === undefined ? {} : { limits: limitsOf(limits) }),
    ...(grant.environment === undefined ? {} : { environment: grant.environment }),
    ...(reference === undefined ? {} : { reference }),
  };
}

export function refusalOf(refusal: z.infer<typeof refusalBody>, { app, service }: GitRequest): Refusal {
  switch (refusal.reason) {
    case 'no-access':
      return { kind: 'no-access', app, service };
    case 'key-removed':
      return { kind: 'key-removed' };
    case 'archive-off':
    case 'invalid-app-name':
      return { kind: refusal.reason, app };
    case 'too-many-apps':
      return { kind: 'too-many-apps', app, limit: refusal.limit };
    default:
      return { kind: 'platform', reason: refusal.reason, text: refusal.text };
  }
}

function limitsOf(limits: NonNullable<z.infer<typeof grantBody>['limits']>): GrantLimits {
  const { lock_wait_seconds: lockWait, session_seconds: session } = limits;
  return {
    ...(lockWait === undefined ? {} : { lockWaitMs: lockWait * 1000 }),
    ...(session === undefined ? {} : { sessionMs: session * 1000 }),
  };
}
