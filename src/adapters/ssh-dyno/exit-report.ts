import type { DynoExit, SignalName } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import type { Quote } from './opening.js';
import type { PayloadReader } from './payload.js';

/** Every name a process may die of; those beyond RFC 4254 6.10 have a domain behind them. */
const SIGNALS: Readonly<Record<SignalName, true>> = {
  ABRT: true,
  ALRM: true,
  FPE: true,
  HUP: true,
  ILL: true,
  INT: true,
  KILL: true,
  PIPE: true,
  QUIT: true,
  SEGV: true,
  TERM: true,
  USR1: true,
  USR2: true,
  BUS: true,
  XCPU: true,
  XFSZ: true,
  SYS: true,
  TRAP: true,
};

/** What a command of this system can end with. */
const LARGEST_STATUS = 255;

/** Of an `exit-status` request. A larger one, cut to a byte by the client's ssh, could become 0. */
export function exitStatus(fields: PayloadReader): DynoExit {
  return { kind: 'code', code: Math.min(LARGEST_STATUS, fields.uint32()) };
}

/** Of an `exit-signal` request. */
export function exitSignal(fields: PayloadReader, quote: Quote): DynoExit | Fault {
  const named = fields.text();
  const signal = named.replace(/@.*$/, '');
  if (isSignalName(signal)) return { kind: 'signal', signal };
  // OpenSSH's server says `SIG@openssh.com` for those that the RFC has no name for.
  const words = `the command was ended by a signal that the dyno has no name for (${quote(named)}): a limit of processor time (XCPU) or file size (XFSZ), or a crash`;
  return new Fault('GM_BAD_ANSWER', 'run', words);
}

function isSignalName(name: string): name is SignalName {
  return Object.hasOwn(SIGNALS, name);
}
