/** What a platform may answer, read strictly: a word that is misspelt must not open more than was meant. */
import { z } from 'zod';
import { isAppName } from '../../domain/app-name.js';
import type { AppAccess } from '../../domain/grant.js';
import type { CertifiedProof } from '../../domain/proof.js';
import { isUserName, type User } from '../../domain/user.js';
import { printable } from '../../domain/words/printable.js';
import type { Answer } from '../remote/http-caller.js';
import { Trouble } from '../remote/trouble.js';

/** A message names so much of what is wrong. */
const LONGEST_COMPLAINT = 300;

export const access = z.enum(['read', 'write']);
export const appName = z.string().refine((name) => isAppName(name, 'with-owner'), 'is no name of an app');

const userBody = z.strictObject({
  user: z.string().refine(isUserName, 'is no name of a user').nullable(),
  binding: z.strictObject({ apps: z.array(appName).optional(), access: access.optional() }).optional(),
});

/** As OpenSSH writes them, without a comment. */
const keyLine = z
  .string()
  .max(16_384)
  .regex(/^[a-z0-9@.-]{1,64} [A-Za-z0-9+/]+={0,2}$/, 'is no public key: `ssh-ed25519 AAAA…`, without a comment');

const authoritiesBody = z.strictObject({ authorities: z.array(keyLine).max(64) });

const appsBody = z.strictObject({ apps: z.array(z.strictObject({ app: appName, access })).nullable() });

/** Of each type that a server offers, a current and a next one at most, and room for types to come. */
const MOST_HOST_KEYS = 16;
const LONGEST_PRIVATE_KEY = 16_384;

const hostKeysBody = z.strictObject({
  host_keys: z
    .array(z.strictObject({ private_key: z.string().max(LONGEST_PRIVATE_KEY), state: z.enum(['current', 'next']) }))
    .max(MOST_HOST_KEYS),
});

const errorBody = z.object({ error: z.string() });

/** The user who holds a key; `unknown` when the platform says that nobody does. */
export function userOf(answer: Answer): User | 'unknown' {
  const { user, binding } = bodyOf(userBody, answer);
  if (user === null) return 'unknown';
  if (binding === undefined) return { name: user };
  const { apps, access } = binding;
  return {
    name: user,
    binding: { ...(apps === undefined ? {} : { apps }), ...(access === undefined ? {} : { access }) },
  };
}

/** The same for the user whom a certificate names: the platform may know them or not, and name nobody else. */
export function certifiedOf(answer: Answer, proof: CertifiedProof): User | 'unknown' {
  const user = userOf(answer);
  if (user === 'unknown' || user.name === proof.user) return user;
  throw Trouble.wrong('asked for the user of a certificate, it named another one');
}

/** The keys whose certificates count, as lines. */
export function authoritiesOf(answer: Answer): readonly string[] {
  return bodyOf(authoritiesBody, answer).authorities;
}

/** The apps of a user, by name; undefined where the platform can't list them. */
export function appsOf(answer: Answer): readonly AppAccess[] | undefined {
  return bodyOf(appsBody, answer).apps?.sort((a, b) => (a.app < b.app ? -1 : 1));
}

/** A private key for the server itself, as text; whether it can be used is for the server to say. */
export interface KeptHostKey {
  readonly privateKey: string;
  readonly state: 'current' | 'next';
}

export function hostKeysOf(answer: Answer): readonly KeptHostKey[] {
  return bodyOf(hostKeysBody, answer).host_keys.map(({ private_key: privateKey, state }) => ({ privateKey, state }));
}

/** The text of `{"error":"…"}`. */
export function errorOf({ text }: Answer): string | undefined {
  return errorBody.safeParse(jsonOf(text)).data?.error;
}

/** @throws Trouble that says where the answer leaves the contract, and quotes no value. */
export function bodyOf<T>(schema: z.ZodType<T>, { text }: Answer): T {
  const json = jsonOf(text);
  if (json === undefined) throw Trouble.wrong('its answer is no JSON');
  const read = schema.safeParse(json);
  if (read.success) return read.data;
  const complaints = read.error.issues.map(({ path, message }) => `${placeOf(path)}: ${message}`);
  const told = printable(complaints.join('; '), LONGEST_COMPLAINT);
  throw Trouble.wrong(`its answer is not in the contract (docs/platform-api.yaml): ${told}`);
}

/** `grant.environment[1].name` */
function placeOf(path: readonly PropertyKey[]): string {
  const place = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return place === '' ? 'the whole' : place.replace(/^\./, '');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
