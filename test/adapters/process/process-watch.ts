/** Who runs for a repository, found independently of the adapter's own bookkeeping. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

export function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** One letter (proc(5)). */
export function stateOf(pid: number): string {
  return /\) (\w) /.exec(text(`/proc/${pid}/stat`))?.[1] ?? '';
}

function isDead(pid: number): boolean {
  return 'ZX'.includes(stateOf(pid));
}

/** Processes that live in another PID namespace than this test, or have this word in their command line. */
export function processesOf(word: string): number[] {
  return pids().filter((pid) => pid !== process.pid && !isDead(pid) && text(`/proc/${pid}/cmdline`).includes(word));
}

export function pidNamespace(pid: number | 'self'): string {
  return link(`/proc/${pid}/ns/pid`);
}

/** All members of a PID namespace. */
export function membersOf(namespace: string): number[] {
  return pids().filter((pid) => !isDead(pid) && pidNamespace(pid) === namespace);
}

export function describeProcess(pid: number): string {
  return `${pid} ${text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`;
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
