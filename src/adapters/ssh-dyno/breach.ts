import type { TurnedAway } from '../../domain/words/turned-away.js';
import { Trouble } from '../remote/trouble.js';

/** Why the connection to a dyno is ended by us: what the guard has names for, and what only a server can do. */
export type Breach = TurnedAway | 'tiny-packets' | 'too-much-before-login';

export function troubleOfBreach(breach: Breach): Trouble {
  switch (breach) {
    case 'keepalive-timeout':
      return Trouble.down('it has not answered for a while');
    case 'unread-output':
    case 'stalled-output':
      return Trouble.down('it does not read what is sent to it');
    case 'key-exchange-timeout':
      return Trouble.down('a key exchange took too long');
    default:
      return Trouble.wrong(`it does not keep to the rules of SSH (${breach})`);
  }
}
