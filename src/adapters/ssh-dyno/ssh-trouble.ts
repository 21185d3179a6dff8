import { Fault } from '../../domain/fault.js';
import { quoted, Trouble } from '../remote/trouble.js';
import type { Target } from './target.js';

/** As ssh2 tells of what went wrong: its message may be the dyno's own words. */
export type SshError = Error & { readonly level?: string; readonly code?: unknown };

/** What an error of ssh2's is for whoever wanted to log in to a dyno. */
export function troubleOfSsh({ message, level, code }: SshError, { hostKey, user, secrets }: Target): Trouble | Fault {
  const words = quoted(message, secrets);
  switch (level) {
    case 'client-authentication': {
      const advice = "put the public half of its client key into that user's authorized_keys there";
      const whom = quoted(user, secrets);
      return new Fault('GM_DYNO_START', 'connect', `the dyno does not let gitmouth in as ${whom}: ${advice}`);
    }
    case 'handshake':
      return Trouble.wrong(`no keys could be agreed on (${words}); the pinned host key is ${hostKey.sha256}`);
    default:
      return typeof code === 'number'
        ? Trouble.down(`it ended the connection: ${words}`)
        : Trouble.wrong(`it does not keep to the rules of SSH (${words})`);
  }
}

export function wrongHostKey(presented: string, { hostKey }: Target): Trouble {
  const meaning = 'somebody else answers there, or the dyno has new keys';
  return Trouble.wrong(`its host key is ${presented}, and the pinned one is ${hostKey.sha256}: ${meaning}`);
}
