/** GITMOUTH_ADAPTERS as an operator uses it: the program is started with a module of one's own, or says why not. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Door, execute, PROGRAM, type Result } from '../support/door.js';
import { needs } from '../support/programs.js';
import { projectWith } from '../support/project.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen');

/** Lets nobody in but bob, whoever asks: written against the package, as an adapter of a team is. */
const ONLY_BOB = `
import { ContainerModule } from 'inversify';
import { tokens } from 'gitmouth';
export default new ContainerModule(({ onActivation }) => {
  onActivation(tokens.authenticator, (_context, platform) => ({
    async identify(key, connection, signal) {
      const answer = await platform.identify(key, connection, signal);
      return answer.name === 'bob' ? answer : { kind: 'unknown-key' };
    },
    async identifyCertified() {
      return { kind: 'certificate', problem: { kind: 'not-taken' } };
    },
  }));
});
`;

const BROKEN = "import { ContainerModule } from 'inversify';\nexport const mine = new ContainerModule(() => {});\n";

const WRONG = `
import { ContainerModule } from 'inversify';
import { tokens } from 'gitmouth';
export default new ContainerModule(({ rebind }) => rebind(tokens.accessControl).toConstantValue({ authorise() {} }));
`;

function gitmouth(project: string, adapters: string, ...args: string[]): Promise<Result> {
  const env = {
    HOME: project,
    GITMOUTH_DATA: join(project, 'data'),
    GITMOUTH_LISTEN: '127.0.0.1:0',
    GITMOUTH_ADAPTERS: adapters,
  };
  return execute(process.execPath, [PROGRAM, ...args], { cwd: project, env });
}

describe('the program with adapters of its operator', () => {
  test('asks them, and says nothing of them to users', async () => {
    const project = projectWith({ 'only-bob.mjs': ONLY_BOB });
    const door = new Door({ GITMOUTH_ADAPTERS: join(project, 'only-bob.mjs') });
    await door.start();
    try {
      expect(door.events('server-started')[0]).toMatchObject({ adapters: [join(project, 'only-bob.mjs')] });
      const [alice, bob] = [await door.person('alice'), await door.person('bob')];
      const greeted = await bob.ssh(['-T']);
      expect(greeted.stderr).toContain('Hi bob!');
      const stranger = await alice.ssh(['-T']);
      expect(stranger.code).toBe(255);
      expect(stranger.stderr).toContain('Permission denied (publickey)');
      const work = await bob.repository();
      expect((await bob.git(work, 'push', bob.url('shop'), 'HEAD:main')).code).toBe(0);
    } finally {
      await door.stop();
    }
  });

  test('does not start with modules that are wrong: all are named with the reason, and nothing is made', async () => {
    const project = projectWith({ 'broken.mjs': BROKEN });
    const { code, stdout, stderr } = await gitmouth(project, './broken.mjs,@acme/none', 'serve');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      'gitmouth: The configuration has 2 problems:\n' +
        '  - GITMOUTH_ADAPTERS: ./broken.mjs exports no ContainerModule of inversify: export one, or an array of them, ' +
        'as default (it has no default export)\n' +
        '  - GITMOUTH_ADAPTERS: @acme/none is not there: there is no package @acme/none in node_modules of ' +
        `${project} or above it; install it (npm install @acme/none)\n`,
    );
    expect(existsSync(join(project, 'data'))).toBe(false);
  });

  test('does not start with an adapter that lacks a method of its port', async () => {
    const { code, stderr } = await gitmouth(projectWith({ 'wrong.mjs': WRONG }), './wrong.mjs', 'serve');
    expect(code).toBe(1);
    expect(stderr).toContain(
      '  - GITMOUTH_ADAPTERS: ./wrong.mjs binds accessControl to something else: it lacks authorize(), list()\n',
    );
  });

  test('has the doctor list them with their ports, and name what is wrong', async () => {
    const project = projectWith({ 'only-bob.mjs': ONLY_BOB, 'wrong.mjs': WRONG });
    const fine = await gitmouth(project, './only-bob.mjs', 'doctor');
    expect(fine.stdout).toMatch(/^ok {6}adapters: \.\/only-bob\.mjs \(authenticator\)$/m);
    const wrong = await gitmouth(project, './only-bob.mjs, ./wrong.mjs', 'doctor');
    expect(wrong.stdout).toMatch(/^PROBLEM adapters: GITMOUTH_ADAPTERS: \.\/wrong\.mjs binds accessControl to .*$/m);
    expect(wrong.code).toBe(1);
    expect((await gitmouth(project, '', 'doctor')).stdout).not.toContain('adapters:');
  });

  test('lets its other commands work whatever they are', async () => {
    const project = projectWith({ 'broken.mjs': BROKEN });
    expect(await gitmouth(project, './broken.mjs', 'user', 'add', 'alice')).toMatchObject({ code: 0 });
  });
});
