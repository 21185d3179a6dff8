/** The package as others install it: packed, put into an empty project, and an adapter written against it there. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect } from '@jest/globals';
import { authenticatorContract } from '../../src/contracts/index.js';
import { Door, execute, type Result } from '../support/door.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen');

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLE = join(ROOT, 'examples/authorized-keys');
const SOURCES = [
  'index.ts',
  'authorized-keys.ts',
  'key-lines.ts',
  'authorized-keys.test.ts',
  'tsconfig.json',
  'package.json',
];

/** What `npm install` makes of the tarball, its dependencies and the tools of the project, without the network. */
async function install(project: string): Promise<void> {
  const modules = join(project, 'node_modules');
  const packed = await execute('npm', ['pack', '--ignore-scripts', '--pack-destination', project], {
    cwd: ROOT,
    env: { HOME: project, npm_config_update_notifier: 'false' },
  });
  expect(packed).toMatchObject({ code: 0 });
  mkdirSync(join(modules, 'gitmouth'), { recursive: true });
  const tarball = join(project, packed.stdout.trim());
  await execute('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'gitmouth')]);
  const manifest = JSON.parse(readFileSync(join(modules, 'gitmouth/package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(manifest.dependencies), 'typescript', '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
}

describe('in a project that has installed the package', () => {
  let project: string;

  beforeAll(async () => {
    project = temporaryFolder('project');
    await install(project);
    for (const name of SOURCES) cpSync(join(EXAMPLE, name), join(project, name));
  });

  const tsc = (...args: string[]): Promise<Result> =>
    execute(process.execPath, ['node_modules/typescript/bin/tsc', ...args], { cwd: project });
  const nodeTest = (): Promise<Result> =>
    execute(process.execPath, ['--test', '--test-reporter=tap', 'dist/authorized-keys.test.js'], { cwd: project });

  test('the example compiles, types of contracts and all', async () => {
    expect(await tsc()).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('it passes the contract of its port, every case of which was run', async () => {
    const { code, stdout } = await nodeTest();
    expect({ code, said: stdout.match(/^not ok .*$/gm) }).toEqual({ code: 0, said: null });
    const cases = authenticatorContract(() => Promise.reject(new Error('not opened')), ['stall']);
    for (const { name, leftOut } of cases) {
      expect(stdout).toContain(`- ${name.replaceAll('#', '\\#')}${leftOut === undefined ? '' : ' # SKIP'}\n`);
    }
  });

  test('an adapter that lets in whom it does not know fails it, by the name of the case', async () => {
    const file = join(project, 'dist/authorized-keys.js');
    const sound = readFileSync(file, 'utf8');
    writeFileSync(file, sound.replace("{ kind: 'unknown-key' }", "{ name: 'guest' }"));
    const { code, stdout } = await nodeTest();
    writeFileSync(file, sound);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^not ok \d+ - a key that nobody holds is refused as unknown$/m);
  });

  test('an adapter that is none does not compile', async () => {
    writeFileSync(
      join(project, 'none.ts'),
      `import type { Authenticator } from 'gitmouth';
import { authenticatorContract } from 'gitmouth/contracts';
export class None implements Authenticator {}
authenticatorContract(async () => ({ authenticator: new None() }));\n`,
    );
    const { code, stdout } = await tsc('--noEmit');
    rmSync(join(project, 'none.ts'));
    expect(code).toBeGreaterThan(0);
    expect(stdout).toContain(
      "Type 'None' is missing the following properties from type 'Authenticator': identify, identifyCertified",
    );
    expect(stdout).toMatch(/none\.ts\(4,.*register, removeKey, removeUser/s);
  });

  test('what the package does not export can not be imported', async () => {
    const script = "await import('gitmouth/dist/contracts/contract.js')";
    const { code, stderr } = await execute(process.execPath, ['--input-type=module', '-e', script], { cwd: project });
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  test('the program loads it: the doctor lists it, and a start with a bad file says which line', async () => {
    const keys = join(project, 'keys');
    writeFileSync(keys, '# nobody yet\nssh-ed25519 AAAA alice\n', { mode: 0o600 });
    const env = {
      HOME: project,
      GITMOUTH_DATA: join(temporaryFolder('data'), 'data'),
      GITMOUTH_LISTEN: '127.0.0.1:0',
      GITMOUTH_ADAPTERS: './dist/index.js',
      AUTHORIZED_KEYS: keys,
    };
    const gitmouth = (command: string): Promise<Result> =>
      execute(process.execPath, ['node_modules/gitmouth/dist/app/main.js', command], { cwd: project, env });
    expect((await gitmouth('doctor')).stdout).toMatch(
      /^ok {6}adapters: \.\/dist\/index\.js \(authenticator, lifecycle\)$/m,
    );
    const started = await gitmouth('serve');
    expect(started.code).toBe(1);
    expect(started.stderr).toContain(`AUTHORIZED_KEYS is ${keys}, and can't be used: `);
    expect(started.stderr).toContain('line 2: the key is damaged');
  });

  test('the file decides who is let in, and a change of it counts at once', async () => {
    const keys = join(project, 'users');
    writeFileSync(keys, '', { mode: 0o600 });
    const door = new Door({
      GITMOUTH_ADAPTERS: join(project, 'dist/index.js'),
      AUTHORIZED_KEYS: keys,
      GITMOUTH_LOOKUP_CACHE_SECONDS: '0',
    });
    await door.start();
    try {
      const alice = await door.person('alice');
      expect((await alice.ssh(['-T'])).stderr).toContain('Permission denied (publickey)');
      const [type = '', key = ''] = readFileSync(alice.publicKeyFile, 'utf8').split(' ');
      writeFileSync(keys, `environment="GITMOUTH_USER=alice" ${type} ${key} alice@laptop\n`);
      expect((await alice.ssh(['-T'])).stderr).toContain('Hi alice!');
      const work = await alice.repository();
      expect((await alice.git(work, 'push', alice.url('shop'), 'HEAD:main')).code).toBe(0);
      writeFileSync(keys, 'hello\n');
      expect((await alice.ssh(['-T'])).stderr).not.toContain('Permission denied');
      expect(door.log).toContain('line 1: this is no key');
    } finally {
      await door.stop();
    }
  });
});
