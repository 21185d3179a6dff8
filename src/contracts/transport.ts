import type { Dyno } from '../domain/dyno.js';
import type { Transport } from '../ports/transport.js';
import { casesOf, type ContractCase, type Harness, type Promised } from './contract.js';
import type { Script } from './dyno-scripts.js';
import { transportEndings } from './transport-endings.js';
import { transportOpening } from './transport-opening.js';
import { transportPausing } from './transport-pausing.js';
import { transportStreams } from './transport-streams.js';

/** A transport, and dynos for it. Its grace between TERM and KILL is to be short: the cases wait for it. */
export interface TransportHarness extends Harness {
  readonly transport: Transport;
  /** A dyno whose command, once opened, does what the script says (`shellScript` says it to a shell). */
  dynoRunning(script: Script): Promise<Dyno>;
  /** What still runs or is held for any dyno at this moment, in words: processes, sockets, entries. */
  running(): Promise<readonly string[]>;
  /** A dyno that can't be started or reached. */
  readonly brokenDyno?: () => Promise<Dyno>;
  /** Cuts the way into an open dyno, or destroys it, so that nobody learns how its command ended. */
  readonly lose?: (dyno: Dyno) => Promise<void>;
  /** The grace between TERM and KILL of dynos that are opened from now on, in milliseconds. */
  readonly setGrace?: (graceMs: number) => void;
  /** From now on opening a dyno takes for ever. */
  readonly stall?: () => Promise<void>;
}

/** The first four are capabilities that the transport itself declares to lack. */
export type TransportLack =
  | 'signals'
  | 'exitStatus'
  | 'stderr'
  | 'pause'
  | 'brokenDyno'
  | 'lose'
  | 'stall'
  | 'setGrace'
  /** An end of input reaches the command. */
  | 'endOfInput'
  /** The command cannot leave anything behind that outlives it. */
  | 'leave-behind'
  /** A command that kills itself is told as that signal (a dyno may know only 128 + n, as a shell does). */
  | 'ownDeath';

export type TransportPromise = Promised<TransportHarness, TransportLack>;

export function transportContract(
  open: () => Promise<TransportHarness>,
  lacks: readonly TransportLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [
    ...transportStreams(lacks),
    ...transportPausing(lacks),
    ...transportEndings,
    ...transportOpening(lacks),
  ]);
}
