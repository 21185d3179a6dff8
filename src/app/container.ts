import 'reflect-metadata';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Container, ContainerModule, type ServiceIdentifier } from 'inversify';
import { AppKeeper } from '../adapters/embedded/app-keeper.js';
import { openDatabase, type Database } from '../adapters/embedded/database.js';
import { EmbeddedAccessControl } from '../adapters/embedded/embedded-access-control.js';
import { EmbeddedAuthenticator } from '../adapters/embedded/embedded-authenticator.js';
import { EmbeddedLocks } from '../adapters/embedded/embedded-locks.js';
import { EmbeddedProvisioner } from '../adapters/embedded/embedded-provisioner.js';
import { EmbeddedSessionRegistry } from '../adapters/embedded/embedded-session-registry.js';
import { EmbeddedPlatform } from '../adapters/embedded/platform.js';
import { Repositories } from '../adapters/embedded/repositories.js';
import { repositoryConfig } from '../adapters/embedded/repository-config.js';
import {
  MemoryAccessControl,
  MemoryAuthenticator,
  MemoryObserver,
  MemoryPlatform,
  MemoryProvisioner,
  MemoryRepositoryLocks,
  MemorySessionRegistry,
  MemoryThrottle,
  MemoryTransport,
} from '../adapters/memory/index.js';
import { BubblewrapSandbox } from '../adapters/process/bubblewrap.js';
import { chooseSandbox, type SandboxChoice } from '../adapters/process/choose-sandbox.js';
import { probeSandbox } from '../adapters/process/probe.js';
import { ProcessTransport } from '../adapters/process/process-transport.js';
import { runInSandbox } from '../adapters/process/run.js';
import type { HostUser, Sandbox } from '../adapters/process/sandbox.js';
import { UnsandboxedSandbox } from '../adapters/process/unsandboxed.js';
import { loadOrCreateHostKeys, type HostKey } from '../adapters/ssh2/host-keys.js';
import { SshServer } from '../adapters/ssh2/server.js';
import { SystemClock } from '../adapters/system/clock.js';
import { newId } from '../adapters/system/ids.js';
import { LogObserver } from '../adapters/system/log-observer.js';
import { isLoopback } from '../domain/address.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import type { SessionRegistry } from '../ports/session-registry.js';
import { importAdapters, type Adapter } from './adapter-modules.js';
import { BoundPorts } from './bound-ports.js';
import type { Config } from './config.js';
import { DynoSlots } from './dyno-slots.js';
import { KeyLookups } from './key-lookups.js';
import { ServeGit } from './serve-git.js';
import { tokens, type Lifecycle } from './tokens.js';

/** How long a job of gitmouth's own that grows with its repository may take. */
const LONG_JOB_MS = 3_600_000;

/** What a running gateway holds in its hands. */
export interface Parts {
  readonly server: SshServer;
  readonly serveGit: ServeGit;
  readonly registry: SessionRegistry;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly hostKeys: readonly HostKey[];
  readonly sandbox: string;
  readonly lifecycles: readonly Lifecycle[];
}

/**
 * Everything wired. All ports are resolved here, so that a missing binding stops the start and not a push.
 * @param modules load after everything else but the adapters of the configuration; may rebind any of `tokens`.
 */
export async function createContainer(config: Config, modules: readonly ContainerModule[]): Promise<Parts> {
  const adapters = await importAdapters(config.adapters);
  requireHooksFolder(config);
  makeDataFolder(config);
  const choice = await chooseSandboxFor(config);
  const opened: (() => void)[] = [];
  try {
    const container = new Container({ defaultScope: 'Singleton' });
    container.load(systemModule(config), embeddedModule(config, choice.sandbox, opened), ...modules);
    return partsOf(portsOf(container, await loadAdapters(container, adapters)), config, choice);
  } catch (error) {
    for (const close of opened) close();
    throw error;
  }
}

/** One after the other, so that the last to bind a port is the last that is named. */
async function loadAdapters(container: Container, adapters: readonly Adapter[]): Promise<BoundPorts> {
  const bound = new BoundPorts();
  for (const adapter of adapters) {
    await bound.load(adapter, (module, watch) =>
      container.loadAsync(new ContainerModule((options) => module.load(watch(options)))),
    );
  }
  return bound;
}

/**
 * The adapters of the configuration, made over memory in place of a platform and closed again: for the doctor, who
 * starts nothing.
 * @returns the ports that each of them brings.
 * @throws ConfigError, as a start does.
 */
export async function tryAdapters(config: Config): Promise<ReadonlyMap<string, readonly string[]>> {
  const adapters = await importAdapters(config.adapters);
  const container = new Container({ defaultScope: 'Singleton' });
  container.load(memoryModule());
  const bound = await loadAdapters(container, adapters);
  for (const lifecycle of portsOf(container, bound).lifecycles) lifecycle.close();
  return new Map(adapters.map(({ name }) => [name, bound.of(name)]));
}

function memoryModule(): ContainerModule {
  return new ContainerModule(({ bind }) => {
    const clock = new SystemClock();
    const platform = new MemoryPlatform();
    bind(tokens.clock).toConstantValue(clock);
    bind(tokens.throttle).toConstantValue(new MemoryThrottle());
    bind(tokens.observer).toConstantValue(new MemoryObserver());
    bind(tokens.authenticator).toConstantValue(new MemoryAuthenticator(platform));
    bind(tokens.accessControl).toConstantValue(new MemoryAccessControl(platform));
    bind(tokens.locks).toConstantValue(new MemoryRepositoryLocks(clock));
    bind(tokens.provisioner).toConstantValue(new MemoryProvisioner());
    bind(tokens.transport).toConstantValue(new MemoryTransport(() => async () => 0, clock));
    bind(tokens.registry).toConstantValue(new MemorySessionRegistry(platform));
    bind(tokens.lifecycle).toConstantValue({
      prepare: async () => undefined,
      finish: async () => undefined,
      close: () => undefined,
    });
  });
}

/** An adapter of every port, made and looked at. */
function portsOf(container: Container, bound: BoundPorts) {
  const all = <T>(token: ServiceIdentifier<T>) => bound.made(token, () => container.getAll(token));
  const one = <T>(token: ServiceIdentifier<T>): T => {
    const [made] = bound.made(token, () => [container.get(token)]);
    if (made === undefined) throw new Error(`nothing is bound to ${String(token)}`);
    return made;
  };
  return {
    observer: one(tokens.observer),
    clock: one(tokens.clock),
    registry: one(tokens.registry),
    throttle: one(tokens.throttle),
    authenticator: one(tokens.authenticator),
    accessControl: one(tokens.accessControl),
    locks: one(tokens.locks),
    provisioner: one(tokens.provisioner),
    transports: all(tokens.transport),
    lifecycles: all(tokens.lifecycle),
  };
}

function partsOf(ports: ReturnType<typeof portsOf>, config: Config, choice: SandboxChoice): Parts {
  const { observer, clock, registry, throttle, lifecycles } = ports;
  if (choice.warning !== undefined) observer.record({ type: 'problem', message: choice.warning });
  const { authenticator, accessControl, locks, provisioner, transports } = ports;
  const serveGit = new ServeGit({
    lookups: new KeyLookups(authenticator, config.limits.lookupCacheMs, clock),
    accessControl,
    locks,
    dynoSlots: new DynoSlots(throttle, config.admission, clock),
    provisioner,
    transports,
    registry,
    observer,
    clock,
    newSessionId: () => newId('s'),
    limits: config.limits,
  });
  const hostKeys = loadOrCreateHostKeys(hostKeyFolder(config), config.algorithms);
  const server = new SshServer({
    gateway: serveGit,
    observer,
    clock,
    throttle,
    limits: config.admission,
    hostKeys,
    algorithms: config.algorithms,
    newConnectionId: () => newId('c'),
    ...(config.loginName === undefined ? {} : { enforcedLogin: config.loginName }),
  });
  return { server, serveGit, registry, observer, clock, hostKeys, sandbox: choice.sandbox.name, lifecycles };
}

export function hostKeyFolder(config: Config): string {
  return join(config.dataFolder, 'host-keys');
}

/** The platform alone, for commands that manage it; they work while the server runs. */
export function openPlatform(config: Config): { readonly platform: EmbeddedPlatform; readonly db: Database } {
  makeDataFolder(config);
  const db = openDatabase(join(config.dataFolder, 'gitmouth.db'));
  return { platform: new EmbeddedPlatform(db), db };
}

/** The platform with its repositories, for commands that make and destroy apps. */
export async function openAppKeeper(config: Config): Promise<{ readonly keeper: AppKeeper; readonly db: Database }> {
  const { sandbox } = await chooseSandboxFor(config);
  const { platform, db } = openPlatform(config);
  const locks = new EmbeddedLocks(db, new SystemClock());
  return { keeper: new AppKeeper(platform.apps, repositoriesOf(config, sandbox), locks), db };
}

/** @throws Error, in words for the operator, when dynos can't run here the way the configuration asks. */
export function chooseSandboxFor(config: Config): Promise<SandboxChoice> {
  return chooseSandbox(
    config.sandbox,
    isLoopback(config.listen.host),
    (name) => makeSandbox(config, name),
    (sandbox) => probeSandbox({ sandbox, dataFolder: config.dataFolder, ...runAs(config), ...operatorHooks(config) }),
  );
}

function systemModule(config: Config): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(tokens.clock).toResolvedValue(() => new SystemClock());
    bind(tokens.throttle).toResolvedValue(() => new MemoryThrottle());
    bind(tokens.observer).toResolvedValue(() => {
      const { format, level } = config.log;
      const isTerminal = process.stdout.isTTY;
      const chosen = format === 'auto' ? (isTerminal ? 'text' : 'json') : format;
      return new LogObserver({ format: chosen, level, colors: isTerminal });
    });
  });
}

/**
 * The embedded platform: everything in the data folder, dynos as processes of this machine.
 * @param opened is given how to close it again, also before a lifecycle can be had.
 */
function embeddedModule(config: Config, sandbox: Sandbox, opened: (() => void)[]): ContainerModule {
  return new ContainerModule(({ bind }) => {
    const { platform, db } = openPlatform(config);
    const registry = new EmbeddedSessionRegistry(db);
    const close = () => {
      registry.close();
      db.close();
    };
    opened.push(close);
    const repositories = repositoriesOf(config, sandbox);
    bind(tokens.authenticator).toResolvedValue(() => new EmbeddedAuthenticator(db));
    bind(tokens.accessControl).toResolvedValue(() => new EmbeddedAccessControl(db, config.creation));
    bind(tokens.locks).toResolvedValue((clock) => new EmbeddedLocks(db, clock), [tokens.clock]);
    bind(tokens.provisioner).toResolvedValue(
      (locks) => {
        const keeper = new AppKeeper(platform.apps, repositories, locks);
        return new EmbeddedProvisioner(platform.apps, repositories, keeper, config.creation.limit);
      },
      [tokens.locks],
    );
    bind(tokens.transport).toResolvedValue(
      () => new ProcessTransport({ sandbox, graceMs: config.limits.terminateGraceMs, ...operatorHooks(config) }),
    );
    bind(tokens.registry).toConstantValue(registry);
    bind(tokens.lifecycle).toResolvedValue(
      (locks, observer) => ({
        prepare: async () => {
          const problems = await new AppKeeper(platform.apps, repositories, locks).recover();
          for (const { app, error } of problems) {
            observer.record({
              type: 'problem',
              message: `after an earlier stop, '${app}' could not be put right`,
              error,
            });
          }
        },
        finish: async () => undefined,
        close,
      }),
      [tokens.locks, tokens.observer],
    );
  });
}

function repositoriesOf(config: Config, dynoSandbox: Sandbox): Repositories {
  const sandbox = makeJobSandbox(config, dynoSandbox.name);
  const owner = runAs(config).runAs;
  return new Repositories({
    folder: join(config.dataFolder, 'repositories'),
    settings: { maxPackBytes: config.maxPackBytes },
    run: runInSandbox(sandbox),
    runLong: runInSandbox(sandbox, LONG_JOB_MS),
    ...(owner === undefined ? {} : { owner }),
  });
}

function makeSandbox(config: Config, name: Sandbox['name']): Sandbox {
  const common = { limits: config.dynoLimits, ...runAs(config) };
  if (name === 'none') return new UnsandboxedSandbox(common);
  const network = config.dynoNetwork ? 'shared' : 'none';
  return new BubblewrapSandbox({ ...common, network, configFile: writeRepositoryConfig(config) });
}

/** As dynos' own, but with the repository's own config in its place, so that it can be put right. */
function makeJobSandbox(config: Config, name: Sandbox['name']): Sandbox {
  const common = { limits: config.dynoLimits, ...runAs(config) };
  return name === 'none' ? new UnsandboxedSandbox(common) : new BubblewrapSandbox({ ...common, network: 'none' });
}

/** Only root can, and must, run dynos as somebody else. */
function runAs(config: Config): { readonly runAs?: HostUser } {
  return process.getuid?.() === 0 ? { runAs: config.dynoUser } : {};
}

/** Said apart, and before anything is made: a dyno without the folder would look like a sandbox that does not work. */
function requireHooksFolder({ hooksFolder }: Config): void {
  if (hooksFolder === undefined || statSync(hooksFolder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new Error(`GITMOUTH_HOOKS is ${hooksFolder}, and there is no such folder: make it, or unset GITMOUTH_HOOKS`);
}

function operatorHooks(config: Config): { readonly operatorHooks?: string } {
  return config.hooksFolder === undefined ? {} : { operatorHooks: config.hooksFolder };
}

/** Passable for the dynos' user where that is not ours; listed by nobody else. */
export function dataFolderMode(): number {
  return process.getuid?.() === 0 ? 0o711 : 0o700;
}

function makeDataFolder({ dataFolder }: Config): void {
  try {
    mkdirSync(dataFolder, { recursive: true, mode: dataFolderMode() });
    accessSync(dataFolder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new Error(
      `the data folder ${dataFolder} can't be made or written by this user (${why}): ` +
        'give it to them, or set GITMOUTH_DATA (or --data) to another one',
      { cause },
    );
  }
}

/** What every dyno sees as its repository's config: a file of ours, out of reach of any hook. */
function writeRepositoryConfig(config: Config): string {
  const folder = join(config.dataFolder, 'dyno');
  const file = join(folder, 'repository-config');
  const text = repositoryConfig({ maxPackBytes: config.maxPackBytes });
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return file;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  // Renamed into place: dynos of a server that runs already keep the file they have open.
  writeFileSync(`${file}.new`, text, { mode: 0o644 });
  renameSync(`${file}.new`, file);
  return file;
}
