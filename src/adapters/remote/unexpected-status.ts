import { isNotNow } from './patient-caller.js';
import { Trouble } from './trouble.js';

/**
 * What a status means that is none of those a question is answered with.
 * @param words what the peer said beside it, quoted.
 * @param credential what it is shown, by name.
 */
export function unexpectedStatus(status: number, words: string, credential: string): Trouble {
  const said = words === '' ? '' : `: ${words}`;
  if (isNotNow(status)) return Trouble.down(`it answered with status ${status}${said}`);
  if (status === 401 || status === 403)
    return Trouble.wrong(`it does not accept ${credential} (status ${status})${said}`);
  if (status >= 300 && status < 400)
    return Trouble.wrong(`it answered with a redirect (status ${status}), and none is followed`);
  return Trouble.wrong(`it answered with status ${status}${said}`);
}
