/** Many hostile clients at once, from many addresses. */
import { readFileSync } from 'node:fs';
import { pairOf, type Pair } from '../../adapters/ssh2/ground.js';
import type { Person } from '../../support/door.js';
import type { HostileClient } from '../../support/hostile/client.js';

const AT_ONCE = 25;
const ADDRESSES = 200;

/** No limit on how many come: for a server whose memory is measured. */
export const ALL_ARE_LET_IN = {
  GITMOUTH_CONNECTIONS: '5000',
  GITMOUTH_CONNECTIONS_PER_USER: '5000',
  GITMOUTH_UNAUTHENTICATED: '5000',
  GITMOUTH_UNAUTHENTICATED_DROP_FROM: '5000',
  GITMOUTH_UNAUTHENTICATED_PER_SOURCE: '5000',
  GITMOUTH_PENALTIES: 'off',
  GITMOUTH_SESSIONS_PER_MINUTE: '0',
};

/** Nobody is sent away for silence. */
export const ALL_ARE_WAITED_FOR = {
  GITMOUTH_LOGIN_SECONDS: '600',
  GITMOUTH_IDENTIFICATION_SECONDS: '600',
  GITMOUTH_KEY_EXCHANGE_SECONDS: '600',
  GITMOUTH_IDLE_SECONDS: '600',
  GITMOUTH_KEEPALIVE_SECONDS: '600',
};

/** Where one of a crowd comes from: all of 127/8 is this machine's own. */
export function addressOf(n: number): string {
  return `127.0.1.${1 + (n % ADDRESSES)}`;
}

export function keyOf(person: Person): Pair {
  return pairOf(readFileSync(person.keyFile, 'utf8'));
}

/** Has each do its part, some at a time. */
export async function each<T, R>(all: readonly T[], act: (one: T, n: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const some = all.slice(from, from + AT_ONCE);
    results.push(...(await Promise.all(some.map((one, n) => act(one, from + n)))));
  }
  return results;
}

export async function closeAll(clients: readonly HostileClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
}
