/** How a platform knows that a request is gitmouth's (docs/platform-api.md, "Who is asking"). */
import { createHmac } from 'node:crypto';

export type PlatformAuth =
  /** A secret that both know and that is never sent. */
  | { readonly kind: 'hmac'; readonly secret: string }
  /** A secret that is sent with each request. */
  | { readonly kind: 'bearer'; readonly token: string };

export interface Signed {
  readonly method: string;
  /** As in the request line, with the query if there is one. */
  readonly path: string;
  /** Empty where the request has none. */
  readonly body: string;
}

export function authHeaders(auth: PlatformAuth, signed: Signed, nowMs: number): Record<string, string> {
  if (auth.kind === 'bearer') return { Authorization: `Bearer ${auth.token}` };
  const timestamp = String(Math.floor(nowMs / 1000));
  return {
    'X-Gitmouth-Timestamp': timestamp,
    'X-Gitmouth-Signature': signature(auth.secret, timestamp, signed),
  };
}

/** No part but the last can hold a line end, so no two requests are signed alike. */
function signature(secret: string, timestamp: string, { method, path, body }: Signed): string {
  return createHmac('sha256', secret).update(`${timestamp}\n${method}\n${path}\n${body}`).digest('hex');
}

/** What must not come back in a message. */
export function secretOf(auth: PlatformAuth): string {
  return auth.kind === 'bearer' ? auth.token : auth.secret;
}

/** By name, for whoever reads that it was not accepted. */
export function credentialOf(auth: PlatformAuth): string {
  return auth.kind === 'bearer' ? "gitmouth's token" : "gitmouth's signature (the secret, or a clock that is off)";
}
