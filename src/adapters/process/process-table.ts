/** This machine's processes, as /proc tells of them. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { SignalName } from '../../domain/dyno.js';

/** A process that can be told from a later one with the same number: by when it started. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** One letter; Z and X are dead (proc(5)). */
  readonly state: string;
  /** In clock ticks since boot. */
  readonly startTicks: string;
}

/** What proc(5) answers of a process that is gone, or not for this user to see. */
const GONE = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'];

/** @throws Error when it can't be told: the descriptors have run out (EMFILE, ENFILE). So throws all that reads by it. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (GONE.includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

export function readProcess(pid: number): ProcessEntry | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name in parentheses is the process' own choice: it may hold spaces and parentheses.
  const [state, parent, , session, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTicks = rest[15];
  if (state === undefined || parent === undefined || session === undefined || startTicks === undefined)
    return undefined;
  return { pid, parent: Number(parent), session: Number(session), state, startTicks };
}

/** The dead may be among them. */
export function listProcesses(): ProcessEntry[] {
  return allThat((pid) => readProcess(pid) ?? 'gone');
}

/** Those whose PID namespace is this one; of the dead that can't be told. */
export function processesIn(pidNamespace: number): ProcessEntry[] {
  return allThat((pid) => {
    const its = pidNamespaceOf(pid);
    if (its !== undefined && its !== pidNamespace) return 'other';
    const entry = readProcess(pid) ?? 'gone';
    return its !== undefined || entry === 'gone' || isDead(entry) ? entry : 'other';
  });
}

/** More than one is needed where processes live shorter than it takes to read them all. */
const MOST_LISTINGS = 10;

/** Numbers are given out upwards and begin anew after the highest: what is made behind a listing is in the next one. */
const FEWEST_LISTINGS = 2;

/** So often the newest process is looked at, which takes much less time than a listing. */
const MOST_CATCHES = 300;

/**
 * All processes that are looked for. One that is dead by the time it is read may have left a child that was not listed
 * yet: then those who are new are looked at too.
 */
function allThat(look: (pid: number) => ProcessEntry | 'gone' | 'other'): ProcessEntry[] {
  const looked = new Set<number>();
  const found: ProcessEntry[] = [];
  /** @returns whether it has left no child that nobody has looked at. */
  const lookAt = (pid: number): boolean => {
    looked.add(pid);
    const entry = look(pid);
    if (entry !== 'gone' && entry !== 'other') found.push(entry);
    return entry === 'other' || (entry !== 'gone' && !isDead(entry));
  };
  /** A chain of processes may be faster than any listing, but one of them is the newest of all. */
  const catchNewest = () => {
    for (let tries = 0; tries < MOST_CATCHES; tries++) {
      const pid = newestId();
      if (pid !== undefined && !looked.has(pid) && lookAt(pid)) return;
    }
  };
  for (
    let listing = 0, isWhole = false;
    listing < FEWEST_LISTINGS || (!isWhole && listing < MOST_LISTINGS);
    listing++
  ) {
    const unseen = processIds().filter((pid) => !looked.has(pid));
    isWhole = unseen.map(lookAt).every(Boolean);
    if (!isWhole) catchNewest();
  }
  return found;
}

/** Who was made last, dead or alive (proc_loadavg(5)); by somebody in this PID namespace. */
function newestId(): number | undefined {
  const pid = readText('/proc/loadavg')?.trim().split(' ').at(-1);
  return pid === undefined ? undefined : Number(pid);
}

export function isDead({ state }: ProcessEntry): boolean {
  return state === 'Z' || state === 'X';
}

/** The newest first, as they are the most likely to be gone soon. */
function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .reverse();
}

/** The children of a process. */
export function childrenOf(pid: number): ProcessEntry[] {
  const children = readText(`/proc/${pid}/task/${pid}/children`);
  // A kernel may be built without that file (CONFIG_PROC_CHILDREN).
  if (children === undefined) return listProcesses().filter((entry) => entry.parent === pid);
  return children
    .split(' ')
    .filter((text) => text !== '')
    .flatMap((text) => readProcess(Number(text)) ?? []);
}

/** The number of the process inside its innermost PID namespace. */
export function pidInNamespace(pid: number): number | undefined {
  const numbers = /^NSpid:\s+(.*)$/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1];
  const innermost = numbers?.trim().split(/\s+/).at(-1);
  return innermost === undefined ? undefined : Number(innermost);
}

/** Identity of the PID namespace a process lives in, or undefined when that can't be read. */
export function pidNamespaceOf(pid: number): number | undefined {
  try {
    const inode = /^pid:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/ns/pid`))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch {
    return undefined;
  }
}

export function isRunning(entry: ProcessEntry): boolean {
  const now = readProcess(entry.pid);
  return now !== undefined && now.startTicks === entry.startTicks && !isDead(now);
}

/** Never reaches a later process that was given the same number. */
export function signalProcess(entry: ProcessEntry, name: SignalName | 'STOP' | 'CONT'): void {
  if (isRunning(entry)) signalNumber(entry.pid, name);
}

/** Reaches whoever has the number: only for one that can't be given to another yet. */
export function signalNumber(pid: number, name: SignalName | 'STOP' | 'CONT'): void {
  try {
    process.kill(pid, `SIG${name}`);
  } catch {
    // It ended just now.
  }
}

/** Whether anybody has the number, which takes no descriptor to tell. */
export function isTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
