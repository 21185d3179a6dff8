import { readFileSync } from 'node:fs';
import { findPrograms } from './programs.js';
import { listProcesses, signalProcess } from './process-table.js';

/** Whom a process belongs to when its parent has died. */
const INIT = 1;

/**
 * Ends what a gitmouth that was killed left of a bubblewrap that was just being started. In the moment between making its
 * namespace and being told to go on, its inner process does not hear of its parent's death yet (prctl(2),
 * PR_SET_PDEATHSIG), and would wait for ever. It has run nothing.
 *
 * For a start, before any dyno: whoever lives has its own bubblewraps as its children, and not as orphans.
 * @returns how many there were.
 */
export function endOrphans(bwrap = findPrograms().bwrap): number {
  if (bwrap === undefined) return 0;
  const ours = `${bwrap}\0--json-status-fd\0`;
  const orphans = listProcesses().filter(({ pid, parent }) => parent === INIT && commandOf(pid).startsWith(ours));
  for (const orphan of orphans) signalProcess(orphan, 'KILL');
  return orphans.length;
}

/** Its arguments, each with a NUL behind it; empty for a process that is gone. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
