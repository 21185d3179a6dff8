/** Which process wrote a lease, precisely enough to tell later that it is dead. */
import { readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from './error-code.js';

export interface ProcessIdentity {
  /**
   * Boot and PID namespace, in which `pid` means this process: a server in another container, or on another machine
   * that shares the disk, has other numbers. Null where the system doesn't tell (no /proc).
   */
  readonly place: string | null;
  readonly pid: number;
  /** When it started, in clock ticks since the boot: a number is given to another process later. */
  readonly started: string | null;
}

export function ownIdentity(): ProcessIdentity {
  return { place: ownPlace(), pid: process.pid, started: stat(process.pid)?.started ?? null };
}

/** Only what is certain counts: what can't be seen from here may live. */
export function isDead({ place, pid, started }: ProcessIdentity): boolean {
  if (place === null || started === null || place !== ownPlace()) return false;
  const now = stat(pid);
  if (now === undefined) return isGone(pid);
  return now.started !== started || now.state === 'Z' || now.state === 'X';
}

function ownPlace(): string | null {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/** /proc may be mounted so that it hides the processes of other users; a signal still reaches or is forbidden. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
}

/** Fields 3 and 22 of proc_pid_stat(5), counted from behind the name, which may hold spaces and parentheses. */
function stat(pid: number): { state: string; started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    return state === undefined || started === undefined ? undefined : { state, started };
  } catch {
    return undefined;
  }
}
