/** Where gitmouths keep what they agree on. */
import { z } from 'zod';

export const STATE_SETTINGS = {
  GITMOUTH_STATE: [
    z.string().refine(isRedisUrl, 'must be a URL such as redis://redis.example.com:6379/0, or rediss:// for TLS'),
    '',
    'Redis that gitmouths of many machines share locks, penalties, counts and the list of sessions over; unset, those of one data folder share its database.',
  ],
} as const;

/** Its value may hold a password. */
export const SECRET_STATE_SETTINGS: readonly string[] = Object.keys(STATE_SETTINGS);

export type StateConfig = { readonly kind: 'local' } | { readonly kind: 'redis'; readonly url: string };

export function readState(url: string | undefined): StateConfig {
  return url === undefined ? { kind: 'local' } : { kind: 'redis', url };
}

function isRedisUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash } = new URL(value);
  const isClear = /^rediss?:$/.test(protocol) && hostname !== '' && search === '' && hash === '';
  return isClear && /^(\/\d{0,5})?$/.test(pathname);
}
