/** What the adapter makes of an answer, without anybody who gives it. */
import { appsOf, authoritiesOf, hostKeysOf, userOf } from '../../../src/adapters/http/answers.js';
import { dynoOf } from '../../../src/adapters/http/dynos.js';
import { grantOf } from '../../../src/adapters/http/grants.js';
import { Trouble } from '../../../src/adapters/remote/trouble.js';
import { sampleRequest } from '../../../src/contracts/samples.js';
import type { Session } from '../../../src/domain/session.js';
import { examples, type OperationId } from '../../support/platform/document.js';
import { grant } from './asking.js';
import { caller } from './ground.js';

const REQUEST = sampleRequest('git-receive-pack', 'shop');
const SESSION: Session = { id: 's-1', caller, request: REQUEST };

export function decoded(id: OperationId, value: unknown): unknown {
  const answer = { status: 200, text: JSON.stringify(value) };
  switch (id) {
    case 'findUser':
      return userOf(answer);
    case 'listAuthorities':
      return authoritiesOf(answer);
    case 'authorize':
      return grantOf(answer, REQUEST);
    case 'listApps':
      return appsOf(answer);
    case 'hostKeys':
      return hostKeysOf(answer);
    case 'openSession':
      return dynoOf(answer, grant, SESSION);
    case 'endSession':
      throw new Error('its answer has no body');
  }
}

/** Where the adapter finds an answer to leave the contract; undefined when it takes it. */
export function complaint(id: OperationId, value: unknown): string | undefined {
  try {
    decoded(id, value);
    return undefined;
  } catch (error) {
    if (error instanceof Trouble && error.code === 'GM_BAD_ANSWER') return error.message;
    throw error;
  }
}

export const answers = examples.filter(({ status }) => status === 200);
