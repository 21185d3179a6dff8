/** What the API server may answer, read strictly: anything else is no answer of an Openruko API server. */
import { z } from 'zod';
import { isUserName } from '../../domain/user.js';
import type { Answer } from '../remote/http-caller.js';

/** Whose key it is, and the secret that the API server knows them by. */
export interface KeyHolder {
  readonly user: string;
  readonly apiKey: string;
}

/** Where a dyno waits for its command's streams. */
export interface DynoPlace {
  readonly host: string;
  readonly dynoId: string;
}

const errorBody = z.object({ error: z.string() });
const appBody = z.object({ name: z.string() });
/** Both go into a line of the rendezvous header or into a connection: nothing but what names a host or a dyno passes. */
const placeBody = z.object({
  host: z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9.:_-]{0,252}$/),
  dyno_id: z.string().regex(/^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/),
});

/** The text of `{"error":"…"}`; undefined when the answer is none of the API server's own words. */
export function errorOf({ text }: Answer): string | undefined {
  return errorBody.safeParse(jsonOf(text)).data?.error;
}

/** `<user id>:<api key>`. */
export function keyHolderOf({ text }: Answer): KeyHolder | undefined {
  const match = /^([^:]+):([\x21-\x7e]{1,512})\r?\n?$/.exec(text);
  const [, user, apiKey] = match ?? [];
  return user !== undefined && apiKey !== undefined && isUserName(user) ? { user, apiKey } : undefined;
}

export function appNameOf({ text }: Answer): string | undefined {
  return appBody.safeParse(jsonOf(text)).data?.name;
}

export function dynoPlaceOf({ text }: Answer): DynoPlace | undefined {
  const place = placeBody.safeParse(jsonOf(text)).data;
  return place === undefined ? undefined : { host: place.host, dynoId: place.dyno_id };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
