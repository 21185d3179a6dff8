/** Asking a platform through the adapters, and what comes of it in a few words. */
import { expect } from '@jest/globals';
import { HttpAccessControl } from '../../../src/adapters/http/http-access-control.js';
import { HttpAuthenticator } from '../../../src/adapters/http/http-authenticator.js';
import { HttpProvisioner } from '../../../src/adapters/http/http-provisioner.js';
import type { PlatformClient } from '../../../src/adapters/http/platform-client.js';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { MemoryObserver } from '../../../src/adapters/memory/observer.js';
import { never } from '../../../src/contracts/contract.js';
import { sampleConnection, sampleSession } from '../../../src/contracts/samples.js';
import { isFault } from '../../../src/domain/fault.js';
import type { Grant } from '../../../src/domain/grant.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import type { Usage } from '../../../src/domain/usage.js';
import type { Outcome } from '../../../src/domain/verdict.js';
import type { Lease } from '../../../src/ports/repository-locks.js';
import type { OperationId } from '../../support/platform/document.js';
import { SECRET, TOKEN } from '../../support/platform/platform-server.js';
import { caller } from './ground.js';

export type Question = Exclude<OperationId, 'endSession' | 'hostKeys' | 'listAuthorities'>;

export const QUESTIONS: readonly Question[] = ['findUser', 'authorize', 'listApps', 'openSession'];

export const RAN: Outcome = { kind: 'ran', exit: { kind: 'code', code: 0 } };
export const USAGE: Usage = { bytesIn: 12, bytesOut: 34, phasesMs: { provision: 5, run: 6 } };

export const grant: Grant = { app: 'shop', access: 'write', lockMode: 'wait', creates: false };

export const lease: Lease = {
  app: 'shop',
  token: 12,
  recalled: new AbortController().signal,
  graceMs: () => 0,
  lost: new AbortController().signal,
  release: async () => undefined,
};

/** What is asked, by the operation that it rests on. */
export function ask(client: PlatformClient, question: Question): Promise<object | undefined> {
  switch (question) {
    case 'findUser':
      return new HttpAuthenticator(client).identify(caller.key, sampleConnection(), never());
    case 'authorize':
      return new HttpAccessControl(client).authorize(sampleSession(caller, 'git-receive-pack', 'shop'), never());
    case 'listApps':
      return new HttpAccessControl(client).list(caller, never());
    case 'openSession':
      return open(client);
  }
}

/** Whatever has to be told afterwards is tried once. */
async function open(client: PlatformClient): Promise<object> {
  const provisioner = new HttpProvisioner(client, new MemoryObserver(), new MemoryClock());
  try {
    const session = sampleSession(caller, 'git-receive-pack', 'shop');
    const answer = await provisioner.provision(grant, lease, session, never());
    if (!isRefusal(answer)) await provisioner.release(answer, RAN, USAGE);
    return answer;
  } finally {
    provisioner.close();
  }
}

/** `fault CODE stage`, `refusal kind` or `yes`; whatever it is, no secret is in it. */
export async function outcomeOf(client: PlatformClient, question: Question): Promise<string> {
  try {
    const answer = await ask(client, question);
    return answer !== undefined && isRefusal(answer) ? `refusal ${answer.kind}` : 'yes';
  } catch (error) {
    if (!isFault(error)) throw error;
    const told = everythingIn(error);
    for (const secret of [SECRET, TOKEN]) expect(told).not.toContain(secret);
    return `fault ${error.code} ${error.stage}`;
  }
}

export function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = Object.getOwnPropertyNames(error).filter((name) => name !== 'cause');
  const values = own.map((name) => String(Reflect.get(error, name)));
  return [...values, error.cause === undefined ? '' : everythingIn(error.cause)].join('\n');
}
