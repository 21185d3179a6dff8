/** Asking access control from a contract case. */
import type { GitService } from '../domain/git-request.js';
import { isRefusal } from '../domain/refusal.js';
import type { Caller } from '../domain/session.js';
import type { AccessControlHarness } from './access-control.js';
import { never } from './contract.js';
import { sampleCaller, sampleKey, sampleSession } from './samples.js';

export const PUSH = 'git-receive-pack';
export const FETCH = 'git-upload-pack';
export const ARCHIVE = 'git-upload-archive';

export async function person({ register }: AccessControlHarness, user: string): Promise<Caller> {
  const caller = sampleCaller(user, sampleKey());
  await register(user, caller.key);
  return caller;
}

/** The answer in one word: what may be done, or the kind of the refusal. */
export async function ask({ access }: AccessControlHarness, caller: Caller, service: GitService, app = 'shop') {
  const answer = await access.authorize(sampleSession(caller, service, app), never());
  if (isRefusal(answer)) return answer.kind;
  return answer.creates ? `create ${answer.app}` : `${answer.access} ${answer.app}`;
}
