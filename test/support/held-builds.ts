/** Hooks that hold the push to one app until they are let go, and say what their dyno is like. */
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary.js';
import { Running } from './running.js';
import type { Person } from './door.js';

/** The app whose pushes are held. */
export const HELD = 'held';

const SCRIPT = `#!/bin/sh
cat >/dev/null
echo "memory $(ulimit -d), net $(readlink /proc/self/ns/net), pack $(git config receive.maxInputSize)"
[ "$GITMOUTH_APP" = ${HELD} ] || exit 0
echo 'the build begins'
while [ -e "$(dirname "$0")/hold" ]; do sleep 0.1; done
echo 'the build ends'
`;

export class HeldBuilds {
  /** For GITMOUTH_HOOKS. */
  readonly folder = temporaryFolder('hooks');

  constructor() {
    chmodSync(this.folder, 0o755);
    writeFileSync(join(this.folder, 'pre-receive'), SCRIPT, { mode: 0o755 });
    writeFileSync(join(this.folder, 'hold'), '');
  }

  /** Lets go of all, for good. */
  release(): void {
    if (existsSync(this.folder)) rmSync(join(this.folder, 'hold'), { force: true });
  }

  /** A push whose hook has begun. */
  async push(person: Person, folder: string): Promise<Running> {
    const push = new Running('git', ['push', person.url(HELD), 'main'], { cwd: folder, env: person.environment });
    await push.line('the build begins');
    return push;
  }
}
