/** A key or user that is removed while its connections are open. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, execute, until, type Person } from '../support/door.js';
import { Master } from '../support/master.js';
import { exampleHooks } from '../support/operator-hooks.js';
import { needs } from '../support/programs.js';
import { Running } from '../support/running.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');
const LIMIT_MS = 2_000;

describe.each([
  ['key', 'Your key was removed from your account. Your command was ended.'],
  ['user', 'Your account was removed. Your command was ended.'],
])('removing a %s', (what, words) => {
  let door: Door;
  let bob: Person;

  beforeAll(async () => {
    door = new Door({ GITMOUTH_HOOKS: exampleHooks() });
    await door.start();
    bob = await door.person('bob');
    // A user who owns an app can't be removed.
    await door.person('alice');
    await operator('app', 'create', 'shared', '--owner', 'alice');
    await operator('app', 'share', 'shared', 'bob', '--access', 'write');
  });

  afterAll(() => door.stop());

  async function operator(...command: string[]): Promise<void> {
    const { code, stderr } = await door.cli(...command);
    if (code !== 0) throw new Error(stderr);
  }

  async function remove(): Promise<void> {
    const { stdout: listed } = await execute('ssh-keygen', ['-l', '-f', bob.publicKeyFile]);
    const command = what === 'key' ? ['key', 'remove', 'bob', listed.split(' ')[1] ?? ''] : ['user', 'remove', 'bob'];
    await operator(...command);
  }

  test('ends what it had open, with the reason', async () => {
    const work = await bob.repository({ 'build.sh': 'echo the build begins; sleep 600\n' });
    const idle = await Master.open(bob);
    const push = new Running('git', ['push', bob.url('shared'), 'main'], { cwd: work, env: bob.environment });
    try {
      await push.line('the build begins');
      await remove();
      const removedAt = performance.now();
      await until(
        () => push.hasEnded && idle.process.hasEnded,
        20_000,
        () => push.stderr + idle.process.stderr,
      );
      const tookMs = performance.now() - removedAt;
      const { code, stderr } = await push.ended();
      expect({ code, stderr }).toMatchObject({
        code: expect.any(Number),
        stderr: expect.stringContaining(` !     ${words}\n`),
      });
      expect(code).toBeGreaterThan(0);
      expect(idle.process.stderr).toContain(words);
      expect(tookMs).toBeLessThan(LIMIT_MS);
      expect(await door.session({ app: 'shared' })).toMatchObject({ verdict: `ended-${what}-removed`, exit: 'TERM' });
      expect(await door.inRepository('shared', 'for-each-ref')).toBe('');
      // Whose key it was may be remembered for a moment, and grants nothing.
      const { code: again, stderr: said } = await bob.ssh([]);
      expect({ again, said }).toEqual({ again: 255, said: expect.not.stringContaining('Hi bob') });
      expect(said).toMatch(/Permission denied \(publickey\)|was removed/);
    } finally {
      await push.kill();
      await idle.close();
    }
  });
});
