import 'reflect-metadata';
import { hostname } from 'node:os';
import { Container, ContainerModule, type ServiceIdentifier } from 'inversify';
import {
  MemoryAccessControl,
  MemoryAuthenticator,
  MemoryObserver,
  MemoryPenalties,
  MemoryPlatform,
  MemoryProvisioner,
  MemoryRateLimiter,
  MemoryRepositoryLocks,
  MemorySessionRegistry,
  MemoryLiveConnections,
  MemoryThrottle,
  MemoryTransport,
} from '../adapters/memory/index.js';
import type { HostKey } from '../adapters/ssh2/host-keys/files.js';
import { readKeyLine } from '../adapters/ssh2/public-keys.js';
import { SshServer, type SshServerChanges } from '../adapters/ssh2/server.js';
import { SystemClock } from '../adapters/system/clock.js';
import { newId } from '../adapters/system/ids.js';
import { LogObserver } from '../adapters/system/log-observer.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import type { LiveConnections } from '../ports/live-connections.js';
import { importAdapters, type Adapter } from './adapter-modules.js';
import { BoundPorts } from './bound-ports.js';
import type { Config } from './config.js';
import { DynoSlots } from './dyno-slots.js';
import { KeyLookups } from './key-lookups.js';
import { PenaltyBook } from './penalty-book.js';
import { PlatformAuthorities } from './platform-authorities.js';
import { hostKeysFor, type ReadyHostKeys } from './platforms/host-keys.js';
import { ProofJudge } from './proof-judge.js';
import { reloaded } from './reload.js';
import type { Platform } from './platforms/platform.js';
import { ServeGit } from './serve-git.js';
import { SessionReports } from './session-reports.js';
import { openState, type State } from './state/state.js';
import { tokens, type Lifecycle } from './tokens.js';
import { version } from './version.js';

/** What a running gateway holds in its hands. */
export interface Parts {
  /** The configuration that holds now. */
  config(): Config;
  /**
   * Makes everything that another configuration wants ready, and begins with it in one go.
   * @throws Error that says why not; nothing has changed then.
   */
  reload(wanted: Config): Promise<void>;
  readonly server: SshServer;
  readonly serveGit: ServeGit;
  readonly connections: LiveConnections;
  readonly reports: SessionReports;
  readonly observer: Observer;
  readonly clock: Clock;
  hostKeys(): readonly HostKey[];
  readonly sandbox?: string;
  /** Why no request can be served just now, as far as that is cheap to know. */
  unreadiness(): string | undefined;
  readonly lifecycles: readonly Lifecycle[];
}

/**
 * Everything wired. All ports are resolved here, so that a missing binding stops the start and not a push.
 * @param modules load after everything else but the adapters of the configuration; may rebind any of `tokens`.
 */
export async function createContainer(config: Config, modules: readonly ContainerModule[]): Promise<Parts> {
  const adapters = await importAdapters(config.adapters);
  const platform = await openPlatformOf(config);
  let state: State | undefined;
  try {
    state = await openState(config);
    const container = new Container({ defaultScope: 'Singleton' });
    const log = logOf(config);
    container.load(systemModule(log), stateModule(state), platformModule(platform), ...modules);
    const ports = portsOf(container, await loadAdapters(container, adapters));
    const hostKeys = await hostKeysFor(config, platform.hostKeys);
    return partsOf(ports, config, platform, hostKeys, log);
  } catch (error) {
    state?.close();
    platform.close();
    throw error;
  }
}

/** The others stay unloaded. */
async function openPlatformOf(config: Config): Promise<Platform> {
  const { platform } = config;
  switch (platform.kind) {
    case 'embedded':
      return (await import('./platforms/embedded.js')).embedded(config);
    case 'openruko':
      return (await import('./platforms/openruko.js')).openruko(config, platform);
    case 'http':
      return (await import('./platforms/http.js')).http(config, platform);
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
    bind(tokens.penalties).toConstantValue(new MemoryPenalties(clock));
    bind(tokens.rateLimiter).toConstantValue(new MemoryRateLimiter());
    bind(tokens.observer).toConstantValue(new MemoryObserver());
    bind(tokens.authenticator).toConstantValue(new MemoryAuthenticator(platform));
    bind(tokens.accessControl).toConstantValue(new MemoryAccessControl(platform));
    bind(tokens.locks).toConstantValue(new MemoryRepositoryLocks(clock));
    bind(tokens.provisioner).toConstantValue(new MemoryProvisioner());
    bind(tokens.transport).toConstantValue(new MemoryTransport(() => async () => 0, clock));
    bind(tokens.connections).toConstantValue(new MemoryLiveConnections(platform));
    bind(tokens.registry).toConstantValue(new MemorySessionRegistry(clock));
    bind(tokens.lifecycle).toConstantValue({
      prepare: async () => undefined,
      finish: async () => undefined,
      close: () => undefined,
    });
  });
}

function stateModule(state: State): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(tokens.locks).toResolvedValue((clock) => state.locks(clock), [tokens.clock]);
    bind(tokens.penalties).toResolvedValue((clock) => state.penalties(clock), [tokens.clock]);
    bind(tokens.rateLimiter).toResolvedValue(() => state.rateLimiter());
    bind(tokens.registry).toResolvedValue((clock) => state.sessions(clock), [tokens.clock]);
    bind(tokens.lifecycle).toResolvedValue(
      (observer) => ({
        async prepare() {
          state.onTrouble((message, error) => {
            observer.record({ type: 'problem', message, error });
          });
        },
        finish: () => Promise.resolve(),
        close: () => {
          state.close();
        },
      }),
      [tokens.observer],
    );
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
    connections: one(tokens.connections),
    registry: one(tokens.registry),
    throttle: one(tokens.throttle),
    penalties: one(tokens.penalties),
    rateLimiter: one(tokens.rateLimiter),
    authenticator: one(tokens.authenticator),
    accessControl: one(tokens.accessControl),
    locks: one(tokens.locks),
    provisioner: one(tokens.provisioner),
    transports: all(tokens.transport),
    lifecycles: all(tokens.lifecycle),
  };
}

function partsOf(
  ports: ReturnType<typeof portsOf>,
  begun: Config,
  platform: Platform,
  begunHostKeys: ReadyHostKeys,
  log: LogObserver,
): Parts {
  let config = begun;
  const { observer, clock, connections, registry, throttle } = ports;
  for (const message of platform.warnings) observer.record({ type: 'problem', message });
  const { authenticator, accessControl, locks, provisioner, transports } = ports;
  const { penalties, rateLimiter } = ports;
  const rules = () => config.penalties;
  const penaltyBook = new PenaltyBook({ penalties, rateLimiter, rules, observer, clock });
  const authorities = new PlatformAuthorities({
    ask: async (signal) => platform.authorities?.(signal) ?? [],
    readKeyLine,
    isWanted: () => config.certificates.authorities === 'platform',
    onChange: () => {
      serveGit.endTakenBack();
    },
    observer,
    clock,
  });
  const proofs = new ProofJudge(
    () => ({ ...config.certificates, authorities: authoritiesOf(config, authorities) }),
    clock,
  );
  const serveGit = new ServeGit({
    proofs,
    lookups: new KeyLookups(authenticator, proofs, () => config.limits.lookupCacheMs, clock),
    accessControl,
    locks,
    penaltyBook,
    dynoSlots: new DynoSlots(throttle, () => config.admission, clock),
    provisioner,
    transports,
    connections,
    observer,
    clock,
    newSessionId: () => newId('s'),
    limits: () => config.limits,
    lockMode: () => config.locks.mode,
    server: `gitmouth ${version()}`,
    appNames: config.platform.kind === 'http' ? 'with-owner' : 'plain',
  });
  begunHostKeys.keep();
  let doors = doorsOf(config, begunHostKeys.keys);
  const server = new SshServer({
    gateway: serveGit,
    observer,
    clock,
    throttle,
    strangers: penaltyBook,
    newConnectionId: () => newId('c'),
    ...doors,
  });
  const reload = async (wanted: Config) => {
    const next = reloaded(config, wanted);
    const prepared = await platform.reload?.(next);
    const hostKeys = await hostKeysFor(next, platform.hostKeys);
    const nextDoors = doorsOf(next, hostKeys.keys);
    const beginServer = server.prepareReload(nextDoors);
    hostKeys.keep();
    // From here on nothing waits and nothing throws: it holds as a whole, or not at all.
    config = next;
    doors = nextDoors;
    beginServer();
    prepared?.begin();
    serveGit.endTakenBack();
    void authorities.refresh();
    log.level = next.log.level;
    for (const message of prepared?.warnings ?? []) observer.record({ type: 'problem', message });
  };
  return {
    config: () => config,
    reload,
    server,
    serveGit,
    connections,
    reports: new SessionReports({ registry, connections, clock, observer, gitmouth: `${hostname()}:${process.pid}` }),
    observer,
    clock,
    hostKeys: () => doors.hostKeys,
    unreadiness: () => platform.unreadiness?.(),
    lifecycles: [...ports.lifecycles, authorities],
    ...(platform.sandbox === undefined ? {} : { sandbox: platform.sandbox }),
  };
}

/** Fingerprints of those whose certificates count; undefined while that is not known. */
function authoritiesOf({ certificates }: Config, { known }: PlatformAuthorities): ReadonlySet<string> | undefined {
  const keys = certificates.authorities === 'platform' ? known : certificates.authorities;
  return keys && new Set(keys.map(({ sha256 }) => sha256));
}

/** What the SSH server is told by the configuration. */
function doorsOf(config: Config, hostKeys: readonly HostKey[]): SshServerChanges {
  return {
    limits: config.admission,
    proxies: config.proxies,
    hostKeys,
    algorithms: config.algorithms,
    ...(config.loginName === undefined ? {} : { enforcedLogin: config.loginName }),
  };
}

function logOf({ log: { format, level } }: Config): LogObserver {
  const isTerminal = process.stdout.isTTY;
  const chosen = format === 'auto' ? (isTerminal ? 'text' : 'json') : format;
  return new LogObserver({ format: chosen, level, colors: isTerminal });
}

function systemModule(log: LogObserver): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(tokens.clock).toResolvedValue(() => new SystemClock());
    bind(tokens.throttle).toResolvedValue(() => new MemoryThrottle());
    bind(tokens.observer).toResolvedValue(() => log);
  });
}

function platformModule(platform: Platform): ContainerModule {
  return new ContainerModule(({ bind }) => {
    const { authenticator, clock, locks, observer } = tokens;
    bind(tokens.authenticator).toResolvedValue(() => platform.authenticator());
    bind(tokens.accessControl).toResolvedValue(() => platform.accessControl());
    bind(tokens.provisioner).toResolvedValue((...given) => platform.provisioner(...given), [locks, observer, clock]);
    bind(tokens.transport).toResolvedValue(() => platform.transport());
    bind(tokens.connections).toResolvedValue((...given) => platform.connections(...given), [authenticator, clock]);
    bind(tokens.lifecycle).toResolvedValue((...given) => platform.lifecycle(...given), [locks, observer]);
  });
}
