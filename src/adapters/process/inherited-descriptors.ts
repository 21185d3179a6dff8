import { readFileSync, readdirSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;
const FIRST_AFTER_STDIO = 3;

/**
 * File descriptors that this process was started with and would pass on to every child.
 *
 * Node marks what it opens itself (and low numbers it inherits) close-on-exec, but a supervisor's descriptor 20 goes
 * through, and an open folder of this machine inside a dyno is a way out of it.
 */
export function inheritedDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => descriptor >= FIRST_AFTER_STDIO && isPassedOn(descriptor));
}

function isPassedOn(descriptor: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch {
    // The descriptor of the listing itself is closed by now.
    return false;
  }
}
