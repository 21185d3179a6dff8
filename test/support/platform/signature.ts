/** How a platform checks who is asking, written from docs/platform-api.md and not from gitmouth's own code. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export type Credential =
  { readonly kind: 'hmac'; readonly secret: string } | { readonly kind: 'bearer'; readonly token: string };

const WINDOW_SECONDS = 300;

/** What is wrong with the request's credential; undefined when nothing is. */
export function credentialProblem(
  credential: Credential,
  { headers, method = '', url = '' }: IncomingMessage,
  body: Buffer,
  nowMs = Date.now(),
): string | undefined {
  if (credential.kind === 'bearer')
    return headers.authorization === `Bearer ${credential.token}` ? undefined : 'the token is not ours';
  const timestamp = String(headers['x-gitmouth-timestamp']);
  if (!/^\d+$/.test(timestamp)) return 'there is no timestamp';
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > WINDOW_SECONDS) return 'the timestamp is too old or too new';
  const hmac = createHmac('sha256', credential.secret);
  hmac.update(`${timestamp}\n${method}\n${url}\n`);
  hmac.update(body);
  const expected = hmac.digest();
  const given = Buffer.from(String(headers['x-gitmouth-signature']), 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected)
    ? undefined
    : 'the signature does not match';
}
