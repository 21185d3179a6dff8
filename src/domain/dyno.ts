import type { DynoPlan } from './dyno-policy.js';
import type { GitService } from './git-request.js';

/** Where git runs: an isolated place with one app's repository mounted. */
export interface Dyno {
  readonly id: string;
  readonly link: DynoLink;
}

/** How to reach a dyno. `kind` chooses the transport. */
export type DynoLink =
  /** A process to be started on this machine. */
  | {
      readonly kind: 'process';
      /** Absolute path of the bare repository. */
      readonly repository: string;
      readonly plan: DynoPlan;
      /** A writer's alone. */
      readonly fence?: Fence;
    }
  /** A dyno that an Openruko dyno host runs: met at the host's rendezvous port, where the dyno's id names it. */
  | {
      readonly kind: 'rendezvous';
      /** Name or address of the dyno host. */
      readonly host: string;
      /** What runs there: how its end is judged depends on it. */
      readonly service: GitService;
    }
  /** A dyno that is reached over SSH. */
  | {
      readonly kind: 'ssh';
      /** Name or address, and port, of its SSH server. */
      readonly host: string;
      readonly port: number;
      readonly user: string;
      /** The one host key it may show, as in a file of OpenSSH: `ssh-ed25519 AAAA…`. */
      readonly hostKey: string;
      /** What git is told of where the repository is: an absolute path, mostly. */
      readonly repository: string;
      readonly plan: DynoPlan;
    }
  /** A dyno inside this process, for tests and examples: the id names it. */
  | { readonly kind: 'memory' };

/**
 * What keeps a writer out whose lock another one has by now, wherever it has got to: looked at in its dyno, as git moves
 * refs, and raised by each writer before it starts.
 */
export interface Fence {
  /** Absolute path of a folder whose file `token` holds the highest token that was let in, in decimal. */
  readonly folder: string;
  /** The writer's own. */
  readonly token: number;
}

/** How the command in a dyno ended. */
export type DynoExit =
  | { readonly kind: 'code'; readonly code: number }
  /** Ended by a signal; the name has no `SIG` prefix (RFC 4254 6.10). */
  | { readonly kind: 'signal'; readonly signal: SignalName };

/** Signal names of RFC 4254 6.10 and the others a process may die of. */
export type SignalName =
  | 'ABRT'
  | 'ALRM'
  | 'FPE'
  | 'HUP'
  | 'ILL'
  | 'INT'
  | 'KILL'
  | 'PIPE'
  | 'QUIT'
  | 'SEGV'
  | 'TERM'
  | 'USR1'
  | 'USR2'
  | 'BUS'
  | 'XCPU'
  | 'XFSZ'
  | 'SYS'
  | 'TRAP';

const CLIENT_SIGNALS: readonly string[] = ['TERM', 'KILL', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'];

/** Whether a client may have this signal sent to its dyno. */
export function isClientSignal(name: string): name is SignalName {
  return CLIENT_SIGNALS.includes(name);
}
