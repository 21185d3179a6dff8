import { constants } from 'node:os';
import type { SignalName } from '../../domain/dyno.js';

const SIGNAL_NAMES: readonly SignalName[] = [
  ...(['ABRT', 'ALRM', 'FPE', 'HUP', 'ILL', 'INT', 'KILL', 'PIPE', 'QUIT'] as const),
  ...(['SEGV', 'TERM', 'USR1', 'USR2', 'BUS', 'XCPU', 'XFSZ', 'SYS', 'TRAP'] as const),
];

export function signalNamed(code: NodeJS.Signals): SignalName | undefined {
  return SIGNAL_NAMES.find((name) => `SIG${name}` === code);
}

/** @param number as this machine numbers them (signal(7)). */
export function signalNumbered(number: number): SignalName | undefined {
  return SIGNAL_NAMES.find((name) => constants.signals[`SIG${name}`] === number);
}
