/** A platform's dyno, and how to reach it. */
import { z } from 'zod';
import type { Dyno } from '../../domain/dyno.js';
import { planDyno } from '../../domain/dyno-policy.js';
import type { Grant } from '../../domain/grant.js';
import { algorithmOfBlob } from '../../domain/public-key.js';
import type { Refusal } from '../../domain/refusal.js';
import type { Session } from '../../domain/session.js';
import type { Answer } from '../remote/http-caller.js';
import { Trouble } from '../remote/trouble.js';
import { bodyOf } from './answers.js';
import { refusalBody, refusalOf } from './grants.js';

const LONGEST_HOST_KEY = 2_048;

// These go into connections, command lines and logs: nothing but what such a name is made of passes.
const sshLink = z.strictObject({
  kind: z.literal('ssh'),
  host: z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9.:_-]{0,252}$/, 'is no name or address of a host'),
  port: z.int().min(1).max(65_535),
  user: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$/, 'is no name of a user'),
  host_key: z
    .string()
    .max(LONGEST_HOST_KEY)
    .refine(isHostKey, 'is no Ed25519 or RSA host key: `ssh-ed25519 AAAA…`, without a comment'),
  repository: z.string().regex(/^[A-Za-z0-9/~._][A-Za-z0-9/~._@+=,-]{0,1023}$/, 'is no path that can be passed on'),
});

const openBody = z
  .strictObject({
    dyno: z
      .strictObject({
        id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'is no id'),
        link: sshLink,
      })
      .optional(),
    refusal: refusalBody.optional(),
  })
  .refine(({ dyno, refusal }) => (dyno === undefined) !== (refusal === undefined), 'is to be one dyno or one refusal');

export function dynoOf(answer: Answer, grant: Grant, session: Session): Dyno | Refusal {
  const { dyno, refusal } = bodyOf(openBody, answer);
  if (refusal !== undefined) return refusalOf(refusal, session.request);
  if (dyno === undefined) throw Trouble.wrong('its answer is neither a dyno nor a refusal');
  const { kind, host, port, user, host_key: hostKey, repository } = dyno.link;
  return { id: dyno.id, link: { kind, host, port, user, hostKey, repository, plan: planDyno(session, grant) } };
}

/** What dynos over SSH may show (the modern algorithms). */
const HOST_KEY_TYPES = ['ssh-ed25519', 'ssh-rsa'];

/** One whose name says what its blob is. */
function isHostKey(text: string): boolean {
  const [, name = '', base64 = ''] = /^([a-z0-9-]+) ([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  if (!HOST_KEY_TYPES.includes(name)) return false;
  const blob = Buffer.from(base64, 'base64');
  return blob.toString('base64') === base64 && algorithmOfBlob(blob) === name;
}
