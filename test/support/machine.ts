/** What runs on this machine and what it holds, as /proc tells (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

export interface MachineProcess {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  /** One letter; Z and X are dead. */
  readonly state: string;
  /** With the number, the identity of a process. */
  readonly startTicks: string;
  readonly command: string;
}

export const isRoot = process.getuid?.() === 0;

/** Every process that runs; one that has ended and is merely not waited for yet is none. */
export function runningProcesses(): readonly MachineProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? [])
    .filter(({ state }) => state !== 'Z' && state !== 'X');
}

export function descendantsOf(pid: number): readonly MachineProcess[] {
  const all = runningProcesses();
  const found: MachineProcess[] = [];
  let parents = new Set([pid]);
  while (parents.size > 0) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map((child) => child.pid));
  }
  return found;
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text(`/proc/${pid}/status`))?.[1]) * 1024;
}

export function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
}

function readProcess(pid: number): MachineProcess | undefined {
  const stat = text(`/proc/${pid}/stat`);
  const uid = /^Uid:\s+(\d+)/m.exec(text(`/proc/${pid}/status`))?.[1];
  // The name in parentheses is the process' own choice: it may hold spaces and parentheses.
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTicks = rest[17];
  if (uid === undefined || state === undefined || startTicks === undefined) return undefined;
  const command = text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  return { pid, parent: Number(parent), uid: Number(uid), state, startTicks, command };
}

/** Empty for a process that is gone. */
function text(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
