/** What this process holds that a test could leave behind, and how to tell what has been left. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** In the environment of whatever a test starts, so that processes are found even when they are no longer children. */
export const MARK = 'TEST_FILE_MARK';

const POLL_MS = 20;

/** Bookkeeping of Node and Jest themselves: callbacks of the current turn, never left for long. */
const TRANSIENT = new Set(['Immediate', 'TickObject']);

/**
 * @typedef {Map<string, number>} Holdings how many of each thing: `resource Timeout`, `open file /x`, …
 */

/** @returns {Holdings} */
export function holdings(temporary) {
  const held = new Map();
  const add = (name) => held.set(name, (held.get(name) ?? 0) + 1);
  for (const type of process.getActiveResourcesInfo()) if (!TRANSIENT.has(type)) add(`resource ${type}`);
  for (const file of openFiles()) add(file);
  for (const pid of children()) add(`child process ${describeProcess(pid)}`);
  for (const name of entries(temporary)) add(`temporary file ${name}`);
  return held;
}

/** What `after` has more of than `before`. */
export function surplus(before, after) {
  return [...after].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name);
}

/**
 * What is still left when `graceMs` are over; at once empty when nothing is. Things may take a moment to go (a child
 * to be reaped, a socket to close), so it looks again until the grace is over.
 */
export async function leftovers(before, temporary, mark, graceMs) {
  const deadline = performance.now() + graceMs;
  for (;;) {
    const left = [...surplus(before, holdings(temporary)), ...orphans(mark)];
    if (left.length === 0 || performance.now() >= deadline) return left;
    await sleep(POLL_MS);
  }
}

/** Processes that were started here and have lost their parent. */
function orphans(mark) {
  const own = new Set(children());
  return marked(mark)
    .filter((pid) => !own.has(pid))
    .map((pid) => `process ${describeProcess(pid)}`);
}

/** Processes of this process, and any whose environment carries the mark. */
export function strays(mark) {
  return [...new Set([...children(), ...marked(mark)])];
}

function children() {
  return entries('/proc/self/task')
    .flatMap((task) => text(`/proc/self/task/${task}/children`).split(' '))
    .filter((pid) => pid !== '')
    .map(Number);
}

function marked(mark) {
  const wanted = `${MARK}=${mark}\0`;
  return entries('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => text(`/proc/${pid}/environ`).includes(wanted))
    .map(Number);
}

/** Open descriptors of files, pipes and sockets; those of the event loop itself (anon_inode) come and go. */
function openFiles() {
  return entries('/proc/self/fd').flatMap((fd) => {
    const target = link(`/proc/self/fd/${fd}`).replace(/^(pipe|socket):.*/, '$1');
    const uninteresting = target === '' || /^anon_inode:|^\/(?:proc|dev)\//.test(target);
    return uninteresting ? [] : [`open file ${target}`];
  });
}

function describeProcess(pid) {
  return `${pid} (${text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() || 'ended, not waited for'})`;
}

// Each of these may vanish while it is looked at, and /proc exists on Linux alone: then there is nothing to see.

function entries(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function text(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function link(file) {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
