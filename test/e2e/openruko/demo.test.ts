/** `npm run demo:openruko`, as somebody with a key who wants to see it. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { execute, until } from '../../support/door.js';
import { descendantsOf, runningProcesses } from '../../support/machine.js';
import { needs } from '../../support/programs.js';
import { Running } from '../../support/running.js';
import { temporaryFolder } from '../../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl');

const SCRIPT = join(import.meta.dirname, '../../../scripts/demo-openruko.mjs');
const GIT = { GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' };

function startDemo(home: string, scratch: string): Running {
  return new Running(process.execPath, [SCRIPT], { env: { HOME: home, TMPDIR: scratch } });
}

/** As Ctrl-C does: to all that the terminal runs. */
function interrupt({ pid }: Running): void {
  process.kill(-pid, 'SIGINT');
}

describe('the demo', () => {
  test('takes the push it prints, shows a build, refuses another app, and leaves nothing behind', async () => {
    const [home, scratch] = [temporaryFolder('home'), temporaryFolder('scratch')];
    mkdirSync(join(home, '.ssh'), { mode: 0o700 });
    const keyFile = join(home, '.ssh/id_ed25519');
    await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile]);
    const demo = startDemo(home, scratch);
    try {
      const { text } = await demo.line(' git push ssh://');
      await demo.line('Ctrl-C');
      // ssh takes the home of /etc/passwd for its own: the key and that there is no configuration must be said to it.
      const command = text.replace(
        "='ssh ",
        `='ssh -F /dev/null -i ${keyFile} -o IdentitiesOnly=yes -o BatchMode=yes `,
      );
      const work = temporaryFolder('work');
      const env = { HOME: home, ...GIT };
      const identity = '-c user.name=a -c user.email=a@example.com';
      const made = `git init -q . && git ${identity} commit -q --allow-empty -m first`;
      expect(await execute('sh', ['-c', made], { cwd: work, env })).toMatchObject({ code: 0 });
      const pushed = await execute('sh', ['-c', command], { cwd: work, env });
      expect(pushed).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/remote: -----> Done.*\n.*\[new branch\]/s),
      });
      const other = await execute('sh', ['-c', command.replace('hello.git', 'other.git')], { cwd: work, env });
      expect(other).toMatchObject({ code: 128, stderr: expect.stringContaining("You may not push to 'other'") });
      await until(
        () => demo.stdout.includes('refused-no-access'),
        10_000,
        () => `nothing is logged: ${demo.stdout}`,
      );
      expect(demo.stdout).toContain('exit-0');
      const started = descendantsOf(demo.pid).map(({ pid, startTicks }) => `${pid} ${startTicks}`);
      expect(started.length).toBeGreaterThan(0);
      interrupt(demo);
      expect(await demo.ended()).toMatchObject({ code: 0 });
      const left = runningProcesses().filter(({ pid, startTicks }) => started.includes(`${pid} ${startTicks}`));
      expect(left).toEqual([]);
      expect(readdirSync(scratch)).toEqual([]);
      expect(readdirSync(join(home, '.ssh')).sort()).toEqual(['id_ed25519', 'id_ed25519.pub']);
    } finally {
      await demo.kill();
    }
  });

  test('says what to do to somebody who has no key, and leaves nothing', async () => {
    const scratch = temporaryFolder('scratch');
    const demo = startDemo(temporaryFolder('home'), scratch);
    const { code, stderr } = await demo.ended();
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('ssh-keygen -t ed25519') });
    expect(readdirSync(scratch)).toEqual([]);
  });
});
