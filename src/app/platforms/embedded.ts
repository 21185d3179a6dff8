import { join } from 'node:path';
import { AppKeeper } from '../../adapters/embedded/app-keeper.js';
import type { Apps } from '../../adapters/embedded/apps.js';
import { openDatabase, type Database } from '../../adapters/sqlite/database.js';
import { EmbeddedAccessControl } from '../../adapters/embedded/embedded-access-control.js';
import { EmbeddedAuthenticator } from '../../adapters/embedded/embedded-authenticator.js';
import { Fences } from '../../adapters/embedded/fences.js';
import { EmbeddedProvisioner } from '../../adapters/embedded/embedded-provisioner.js';
import { EmbeddedLiveConnections } from '../../adapters/embedded/embedded-live-connections.js';
import { EmbeddedPlatform } from '../../adapters/embedded/platform.js';
import type { Repositories } from '../../adapters/embedded/repositories.js';
import { endOrphans } from '../../adapters/process/orphans.js';
import type { Sandbox } from '../../adapters/process/sandbox.js';
import { SystemClock } from '../../adapters/system/clock.js';
import type { Provisioner } from '../../ports/provisioner.js';
import type { RepositoryLocks } from '../../ports/repository-locks.js';
import type { Config } from '../config.js';
import { makeDataFolder } from '../data-folder.js';
import { openState, type State } from '../state/state.js';
import {
  chooseSandboxFor,
  processTransport,
  repositoriesOf,
  requireHooksFolder,
  requireOwnRepositories,
} from './dynos-here.js';
import { DynosInTurn, type DynoMaker } from './dynos-in-turn.js';
import type { Platform } from './platform.js';

/** Everything in the data folder, dynos as processes of this machine. */
export async function embedded(config: Config): Promise<Platform> {
  requireHooksFolder(config);
  makeDataFolder(config);
  const { sandbox, warning } = await chooseSandboxFor(config);
  const { platform, db } = openPlatform(config);
  const fences = fencesIn(config, db);
  const connections = new EmbeddedLiveConnections(db);
  const housed = (wanted: Config, chosen: Sandbox) => houseOf(wanted, chosen, platform.apps, fences, db);
  let house = housed(config, sandbox);
  const dynos = new DynosInTurn(house);
  let { dynoUser } = config;
  const close = () => {
    connections.close();
    db.close();
  };
  return {
    sandbox: sandbox.name,
    warnings: warning === undefined ? [] : [warning],
    authenticator: () => new EmbeddedAuthenticator(db),
    accessControl: () => ({
      authorize: (...asked) => house.access.authorize(...asked),
      list: (...asked) => house.access.list(...asked),
    }),
    provisioner: (locks) => dynos.provisioner(locks),
    transport: () => dynos.transport(),
    connections: () => connections,
    lifecycle: (locks, observer) => ({
      async prepare(signal) {
        if (sandbox.name === 'bubblewrap') endOrphans();
        const keeper = new AppKeeper(platform.apps, house.repositories, fences, locks);
        for (const { app, error } of await keeper.recover(signal)) {
          observer.record({
            type: 'problem',
            message: `after an earlier stop, '${app}' could not be put right`,
            error,
          });
        }
      },
      finish: () => Promise.resolve(),
      close,
    }),
    unreadiness: () => (isThere(db) ? undefined : 'the database does not answer'),
    async reload(wanted) {
      requireHooksFolder(wanted);
      const choice = await chooseSandboxFor(wanted);
      // Made here, as making it can fail: to begin is to assign.
      const next = housed(wanted, choice.sandbox);
      if (wanted.dynoUser.uid !== dynoUser.uid) requireOwnRepositories(next.repositories, wanted);
      return {
        warnings: choice.warning === undefined ? [] : [choice.warning],
        begin: () => {
          house = next;
          dynos.use(next);
          dynoUser = wanted.dynoUser;
        },
      };
    },
    close,
  };
}

interface House extends DynoMaker {
  readonly access: EmbeddedAccessControl;
  readonly repositories: Repositories;
}

/** Whatever follows from a configuration that can be replaced. */
function houseOf(config: Config, sandbox: Sandbox, apps: Apps, fences: Fences, db: Database): House {
  const { creation } = config;
  const repositories = repositoriesOf(config, sandbox);
  let provisioner: Provisioner | undefined;
  const provisionerOn = (locks: RepositoryLocks) => {
    const keeper = new AppKeeper(apps, repositories, fences, locks);
    return new EmbeddedProvisioner(apps, repositories, keeper, fences, creation.limit);
  };
  return {
    access: new EmbeddedAccessControl(db, creation),
    repositories,
    transport: processTransport(config, sandbox),
    provisioner: (locks) => (provisioner ??= provisionerOn(locks)),
  };
}

function fencesIn(config: Config, db: Database): Fences {
  return new Fences(join(config.dataFolder, 'fences'), db);
}

function isThere(db: Database): boolean {
  try {
    db.prepare('SELECT 1 FROM users LIMIT 1').get();
    return true;
  } catch {
    return false;
  }
}

/**
 * The platform alone, for commands that manage it; they work while the server runs.
 * @throws Error, when users and apps are not gitmouth's own.
 */
export function openPlatform(config: Config): { readonly platform: EmbeddedPlatform; readonly db: Database } {
  const { kind } = config.platform;
  if (kind !== 'embedded') {
    throw new Error(
      `GITMOUTH_PLATFORM is '${kind}': users, keys and apps are that platform's own, so manage them there`,
    );
  }
  makeDataFolder(config);
  const db = openDatabase(join(config.dataFolder, 'gitmouth.db'));
  return { platform: new EmbeddedPlatform(db), db };
}

/** The platform with its repositories, for commands that make and destroy apps. */
export async function openAppKeeper(
  config: Config,
): Promise<{ readonly keeper: AppKeeper; readonly close: () => void }> {
  const { platform, db } = openPlatform(config);
  let state: State | undefined;
  const close = () => {
    state?.close();
    db.close();
  };
  try {
    const { sandbox } = await chooseSandboxFor(config);
    state = await openState(config);
    const locks = state.locks(new SystemClock());
    const repositories = repositoriesOf(config, sandbox);
    return { keeper: new AppKeeper(platform.apps, repositories, fencesIn(config, db), locks), close };
  } catch (error) {
    close();
    throw error;
  }
}
