import { chmodSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary.js';

const EXAMPLE = join(import.meta.dirname, '../e2e/example-hooks');

/** A folder for GITMOUTH_HOOKS with the example hooks in it, where every dyno's user can reach them. */
export function exampleHooks(): string {
  const folder = temporaryFolder('hooks');
  chmodSync(folder, 0o755);
  for (const name of ['pre-receive', 'post-receive']) {
    cpSync(join(EXAMPLE, name), join(folder, name));
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}
