import { setTimeout as sleep } from 'node:timers/promises';
import type { ListedSession } from '../../domain/listed-session.js';
import { printable } from '../../domain/words/printable.js';
import type { SessionRegistry } from '../../ports/session-registry.js';
import type { Config } from '../config.js';
import { json, table, terminal } from './output.js';
import { withState } from './with-state.js';

/** From the asking on, beyond the grace that the dyno has: how long the session may take to be gone. */
const END_MS = 10_000;
const LOOK_EVERY_MS = 200;

const HEADINGS = ['SESSION', 'USER', 'APP', 'SERVICE', 'PHASE', 'SINCE', 'IN', 'OUT', 'CLIENT', 'GITMOUTH'];

export async function listSessions(config: Config, asJson: boolean): Promise<void> {
  const sessions = await withState(config, (state, clock) => state.sessions(clock).list());
  const rows = sessions.map((one) => [
    ...[one.id, one.user, one.app, one.service, one.phase],
    `${new Date(one.since).toISOString().slice(0, 19)}Z`,
    ...[String(one.bytesIn), String(one.bytesOut), `${one.address} (${one.software})`, one.gitmouth],
  ]);
  terminal.out(asJson ? json(sessions) : table(HEADINGS, rows, 'No session is running.'));
}

/** @throws Error when there is no such session, or it is still there after a while. */
export async function endSession(config: Config, id: string): Promise<void> {
  await withState(config, async (state, clock) => {
    const registry = state.sessions(clock);
    const session = await find(registry, id);
    if (session === undefined || !(await registry.end(id))) {
      throw new Error(`there is no session ${printable(id)}: gitmouth sessions lists those that run`);
    }
    const limitMs = config.limits.terminateGraceMs + END_MS;
    const deadline = Date.now() + limitMs;
    while ((await find(registry, id)) !== undefined) {
      if (Date.now() > deadline) {
        throw new Error(
          `${printable(id)} was asked to end and is there still after ${limitMs / 1000} s: is ${session.gitmouth} well?`,
        );
      }
      await sleep(LOOK_EVERY_MS);
    }
    terminal.out(`Ended the session ${session.id} of ${session.user} (${session.service} on ${session.app}).`);
  });
}

async function find(registry: SessionRegistry, id: string): Promise<ListedSession | undefined> {
  return (await registry.list()).find((session) => session.id === id);
}
