/** Hooks that hold each push until its app is let go, and pushes that a test watches meanwhile. */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Door, Person } from './door.js';
import { Running } from './running.js';
import { temporaryFolder } from './temporary.js';

/** What the hook says once it holds the push. */
export const HOLDING = 'holding';

/** The hook's parent is git, which no signal but KILL ends while it is stopped (signal(7)). */
const SCRIPT = `#!/bin/sh
echo ${HOLDING} >&2
if [ -e /repository/deaf ] && [ ! -e /repository/go ]; then sleep 0.3; kill -STOP $PPID; fi
while [ ! -e /repository/go ]; do sleep 0.05; done
`;

/** A new folder for GITMOUTH_HOOKS. */
export function holdingHooks(): string {
  const folder = temporaryFolder('hooks');
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'pre-receive'), SCRIPT, { mode: 0o755 });
  return folder;
}

/** The pushes to the app end well, also those to come. */
export function letGo(door: Door, app: string): void {
  writeFileSync(join(door.repository(app), 'go'), '');
}

/** The pushes to come are held again. */
export function hold(door: Door, app: string): void {
  rmSync(join(door.repository(app), 'go'), { force: true });
}

/** The pushes to come, while they are held, end by nothing but KILL. */
export function makeDeaf(door: Door, app: string): void {
  writeFileSync(join(door.repository(app), 'deaf'), '');
}

/** Pushes what is checked out in the folder to a branch of the app. */
export function pushing(person: Person, folder: string, app: string, branch = 'main'): Running {
  const args = ['push', '--quiet', person.url(app), `HEAD:refs/heads/${branch}`];
  return new Running('git', args, { cwd: folder, env: person.environment });
}
