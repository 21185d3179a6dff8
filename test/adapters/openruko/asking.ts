/** Asking the API server through the adapters, and what comes of it in a few words. */
import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import type { ApiClient } from '../../../src/adapters/openruko/api-client.js';
import { OpenrukoAccessControl } from '../../../src/adapters/openruko/openruko-access-control.js';
import { OpenrukoAuthenticator } from '../../../src/adapters/openruko/openruko-authenticator.js';
import { OpenrukoProvisioner } from '../../../src/adapters/openruko/openruko-provisioner.js';
import { isFault } from '../../../src/domain/fault.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import { never } from '../../../src/contracts/contract.js';
import { sampleCaller, sampleConnection, sampleSession } from '../../../src/contracts/samples.js';
import { SERVICE_KEY, type ApiServer, type Route } from '../../support/openruko/api-server.js';
import { openHouse, type House } from './ground.js';

/** Short: what is slow here is slow for ever. */
export const LIMITS = { connectMs: 4_000, callMs: 1_500, gitActionMs: 1_500, firstPauseMs: 5 };
export const caller = sampleCaller('alice');

/** An API server that knows one user and one app of theirs. */
export async function openPopulated(): Promise<House> {
  const house = await openHouse({ takeJob: () => ({ host: '127.0.0.1', dyno_id: randomUUID() }), polls: 3 }, LIMITS);
  populate(house.server);
  return house;
}

export function populate(server: ApiServer): void {
  server.register('alice', caller.key.md5);
  server.createApp('shop', 'alice');
}

/** What is asked, by the call that it rests on. */
export function ask(client: ApiClient, route: Route): Promise<object> {
  switch (route) {
    case 'lookup':
      return new OpenrukoAuthenticator(client).identify(caller.key, sampleConnection(), never());
    case 'app':
      return new OpenrukoAccessControl(client).authorize(sampleSession(caller, 'git-receive-pack', 'shop'), never());
    case 'gitaction': {
      const session = sampleSession(caller, 'git-receive-pack', 'shop');
      const grant = { app: 'shop', access: 'write', lockMode: 'wait', creates: false } as const;
      return new OpenrukoProvisioner(client).provision(grant, undefined, session, never());
    }
  }
}

/** `fault CODE stage`, `refusal kind` or `yes`; whatever it is, no secret is in it. */
export async function outcomeOf(client: ApiClient, route: Route): Promise<string> {
  try {
    const answer = await ask(client, route);
    return isRefusal(answer) ? `refusal ${answer.kind}` : 'yes';
  } catch (error) {
    if (!isFault(error)) throw error;
    const told = everythingIn(error);
    for (const secret of [SERVICE_KEY, 'api-key-of-alice']) {
      expect(told).not.toContain(secret);
      expect(told).not.toContain(Buffer.from(`:${secret}`).toString('base64'));
    }
    return `fault ${error.code} ${error.stage}`;
  }
}

function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = Object.getOwnPropertyNames(error).filter((name) => name !== 'cause');
  const values = own.map((name) => String(Reflect.get(error, name)));
  return [...values, error.cause === undefined ? '' : everythingIn(error.cause)].join('\n');
}
