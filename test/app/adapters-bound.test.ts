/** What adapters of GITMOUTH_ADAPTERS bind: used when it fits, and told by name before anything listens when not. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { tryAdapters } from '../../src/app/container.js';
import { ConfigError, readConfig, type Config } from '../../src/app/config.js';
import { createGateway, type Gateway } from '../../src/app/gateway.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';
import { SshClient } from './ssh-client.js';

// The embedded platform's own jobs run git, whatever else is bound.
const { test: withGit } = needs('git');

const MODULES = join(import.meta.dirname, '../../node_modules');
const USER = "{ identify: async () => ({ name: 'carol' }), identifyCertified: async () => ({ name: 'carol' }) }";

/** A folder with one adapter file for each of these bodies, which have `bind`, `rebind` and the rest, and `t` for tokens. */
function configOf(bodies: Readonly<Record<string, string>>): Config {
  const folder = temporaryFolder('bound');
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['inversify', '@inversifyjs'])
    symlinkSync(join(MODULES, name), join(folder, 'node_modules', name));
  for (const [name, body] of Object.entries(bodies)) {
    const load = `async ({ bind, rebind, rebindAsync, unbind, onActivation }) => { ${body} }`;
    const text = `import { ContainerModule } from 'inversify';
const t = (name) => Symbol.for('gitmouth.' + name);
export default new ContainerModule(${load});\n`;
    writeFileSync(join(folder, `${name}.mjs`), text);
  }
  return readConfig(
    {},
    {
      GITMOUTH_DATA: join(folder, 'data'),
      GITMOUTH_LISTEN: '127.0.0.1:0',
      GITMOUTH_SANDBOX: 'none',
      GITMOUTH_ADAPTERS: Object.keys(bodies)
        .map((name) => join(folder, `${name}.mjs`))
        .join(','),
    },
  );
}

/** The problem, without the setting's name and with the file's name alone. */
async function problemOf(bodies: Readonly<Record<string, string>>): Promise<string> {
  const outcome: unknown = await tryAdapters(configOf(bodies)).catch((error: unknown) => error);
  if (!(outcome instanceof ConfigError)) throw new Error('it works, or failed otherwise', { cause: outcome });
  expect(outcome.problems).toHaveLength(1);
  return (outcome.problems[0] ?? '').replace(/\/\S+\//g, '').replace('GITMOUTH_ADAPTERS: ', '');
}

describe('an adapter that binds', () => {
  test.each([
    ['nothing', '', 'binds no port of gitmouth: it must say rebind(tokens.authenticator).toConstantValue(…)'],
    ['something else', "bind('mine').toConstantValue(1)", 'binds no port of gitmouth'],
    ['without saying to what', "rebind(t('clock'))", 'binds clock to nothing: after rebind(tokens.clock)'],
    ['one more of a port without saying to what', "bind(t('transport'))", 'binds no port of gitmouth'],
    ['a port to nothing', "unbind(t('clock'))", 'binds no port of gitmouth'],
    ['twice', `bind(t('authenticator')).toConstantValue(${USER})`, "can't bind what it brings: authenticator is bound"],
    ['and throws', "throw new Error('set API_URL')", "can't bind what it brings: set API_URL"],
    ['null', "rebind(t('observer')).toConstantValue(null)", 'binds observer to something else: it lacks record()'],
    [
      'a class',
      "rebind(t('authenticator')).toConstantValue(class { identify() {} })",
      'binds authenticator to something else: it lacks identify(), identifyCertified()',
    ],
    [
      'half of it',
      "rebind(t('provisioner')).toConstantValue({ provision() {}, release: 1 })",
      'binds provisioner to something else: it lacks release()',
    ],
    [
      'another transport that is none',
      "bind(t('transport')).toConstantValue({ open() {} })",
      'binds transport to something else: it lacks kind, capabilities',
    ],
    [
      'what can not be made',
      "rebind(t('repository-locks')).toDynamicValue(() => { throw new Error('no Redis here') })",
      "can't make its locks: no Redis here",
    ],
    [
      'what needs something that nobody binds',
      "rebind(t('repository-locks')).toResolvedValue((x) => x, ['nobody'])",
      "can't make its locks: No bindings found for service",
    ],
    [
      'a promise',
      `rebind(t('authenticator')).toDynamicValue(async () => (${USER}))`,
      "can't make its authenticator: Unexpected asynchronous service",
    ],
  ])('%s is told so', async (_, body, problem) => {
    expect(await problemOf({ wrong: body })).toContain(`wrong.mjs ${problem}`);
  });

  test('badly over a good one is named, and the good one is not', async () => {
    const good = `rebind(t('authenticator')).toConstantValue(${USER})`;
    const bad = "rebind(t('authenticator')).toConstantValue({})";
    expect(await problemOf({ good, bad })).toBe(
      'bad.mjs binds authenticator to something else: it lacks identify(), identifyCertified()',
    );
  });

  test('well is listed with its ports, less what a later one bound anew', async () => {
    const config = configOf({
      first: `rebind(t('authenticator')).toConstantValue(${USER}); rebind(t('clock')).toConstantValue({ now: () => 1, monotonic: () => 1, sleep: async () => {} })`,
      second: `(await rebindAsync(t('authenticator'))).toDynamicValue(() => (${USER}))`,
      third: "onActivation(t('observer'), (_, observer) => observer)",
    });
    expect([...(await tryAdapters(config)).values()]).toEqual([['clock'], ['authenticator'], ['observer']]);
  });

  test('a lifecycle has it closed again by the doctor, and never prepared', async () => {
    const config = configOf({
      life: "bind(t('lifecycle')).toConstantValue({ prepare: () => { globalThis.life = 'no' }, finish: () => { globalThis.life = 'no' }, close: () => { globalThis.life = 'closed' } })",
    });
    await tryAdapters(config);
    expect(Reflect.get(globalThis, 'life')).toBe('closed');
    expect(existsSync(config.dataFolder)).toBe(false);
    Reflect.deleteProperty(globalThis, 'life');
  });
});

describe('a gateway', () => {
  const started: Gateway[] = [];

  afterEach(async () => {
    for (const gateway of started.splice(0)) await gateway.stop();
  });

  withGit('asks the adapter of its configuration, also before those of its program', async () => {
    const config = configOf({ mine: `rebind(t('authenticator')).toConstantValue(${USER})` });
    const { ContainerModule } = await import('inversify');
    const { tokens } = await import('../../src/app/tokens.js');
    const { MemoryObserver, MemoryPlatform, MemoryLiveConnections } =
      await import('../../src/adapters/memory/index.js');
    const observer = new MemoryObserver();
    const platform = new MemoryPlatform();
    const ofProgram = new ContainerModule(({ rebind }) => {
      rebind(tokens.observer).toConstantValue(observer);
      rebind(tokens.connections).toConstantValue(new MemoryLiveConnections(platform));
      const identify = async () => ({ name: 'of-the-program' });
      rebind(tokens.authenticator).toConstantValue({ identify, identifyCertified: identify });
    });
    const gateway = await createGateway(config, ofProgram);
    started.push(gateway);
    const { port } = await gateway.start();
    const client = new SshClient();
    platform.register('carol', client.key);
    await client.connect(port);
    expect((await client.greeting()).stderr).toContain('Hi carol!');
    await client.end();
    expect(observer.ofType('login-succeeded').map(({ user }) => user)).toEqual(['carol']);
  });

  withGit('does not start with one that is wrong, and leaves the data folder unmade if it can not be had', async () => {
    const wrong = configOf({ wrong: "rebind(t('clock')).toConstantValue({ now: 1 })" });
    await expect(createGateway(wrong)).rejects.toThrow(
      /wrong\.mjs binds clock to something else: it lacks now\(\), monotonic\(\), sleep\(\)/,
    );
    const missing = { ...wrong, adapters: ['./none.mjs'] };
    const elsewhere = { ...missing, dataFolder: join(temporaryFolder('none'), 'data') };
    await expect(createGateway(elsewhere)).rejects.toThrow(ConfigError);
    expect(existsSync(elsewhere.dataFolder)).toBe(false);
  });
});
