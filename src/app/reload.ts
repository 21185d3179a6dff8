/** What of a configuration can be replaced while gitmouth runs, and what another one means for it. */
import { ADMISSION_SETTINGS } from './admission-settings.js';
import { CERTIFICATE_SETTINGS } from './certificate-settings.js';
import type { Config } from './config.js';
import { FRONT_SETTINGS } from './front-settings.js';
import { PENALTY_SETTINGS } from './penalty-settings.js';
import { PHASE_SETTINGS } from './phase-settings.js';

/** What these say holds from a reload on, for what begins after it. All others hold from the next start on. */
const RELOADABLE: readonly string[] = [
  'GITMOUTH_LOGIN_NAME',
  'GITMOUTH_ALGORITHMS',
  'GITMOUTH_HOOKS',
  'GITMOUTH_SANDBOX',
  'GITMOUTH_DYNO_USER',
  'GITMOUTH_DYNO_NETWORK',
  'GITMOUTH_DYNO_MEMORY_MIB',
  'GITMOUTH_DYNO_PROCESSES',
  'GITMOUTH_DYNO_FILE_MIB',
  'GITMOUTH_DYNO_CPU_SECONDS',
  'GITMOUTH_MAX_PACK_MIB',
  'GITMOUTH_CREATE_ON_PUSH',
  'GITMOUTH_APPS_PER_USER',
  'GITMOUTH_PUSH_LOCK',
  'GITMOUTH_LOCK_WAIT_SECONDS',
  'GITMOUTH_TERMINATE_GRACE_SECONDS',
  'GITMOUTH_DRAIN_SECONDS',
  'GITMOUTH_DRAIN_DELAY_SECONDS',
  'GITMOUTH_LOOKUP_CACHE_SECONDS',
  'GITMOUTH_LOG_LEVEL',
  ...Object.keys(CERTIFICATE_SETTINGS),
  ...Object.keys(ADMISSION_SETTINGS),
  ...Object.keys(PENALTY_SETTINGS),
  ...Object.keys(PHASE_SETTINGS),
  ...Object.keys(FRONT_SETTINGS),
];

export interface Reload {
  /** The settings that hold now and did not before, by name. */
  readonly changed: readonly string[];
  /** Those that are written anew, and hold from the next start on alone. */
  readonly needRestart: readonly string[];
}

/** The present configuration with what of the wanted one can hold while gitmouth runs. */
export function reloaded(present: Config, wanted: Config): Config {
  const { loginName: _login, hooksFolder: _hooks, ...lasting } = present;
  const { loginName, hooksFolder, algorithms, sandbox, dynoUser, dynoNetwork, dynoLimits, maxPackBytes } = wanted;
  const { creation, certificates, limits, admission, penalties, proxies, drainDelayMs, log, written } = wanted;
  return Object.freeze({
    ...lasting,
    ...(loginName === undefined ? {} : { loginName }),
    ...(hooksFolder === undefined ? {} : { hooksFolder }),
    ...{ algorithms, sandbox, dynoUser, dynoNetwork, dynoLimits, maxPackBytes, creation },
    ...{ certificates, limits, admission, penalties, proxies, drainDelayMs },
    locks: { leaseMs: present.locks.leaseMs, mode: wanted.locks.mode },
    log: { format: present.log.format, level: log.level },
    written: { ...present.written, ...only(written, (name) => RELOADABLE.includes(name)) },
  });
}

/** By what was written, since two configurations that mean the same may not be the same. */
export function differences(present: Config, wanted: Config): Reload {
  const differing = Object.keys(wanted.written).filter((name) => wanted.written[name] !== present.written[name]);
  return {
    changed: differing.filter((name) => RELOADABLE.includes(name)),
    needRestart: differing.filter((name) => !RELOADABLE.includes(name)),
  };
}

function only(written: Config['written'], choose: (name: string) => boolean): Config['written'] {
  return Object.fromEntries(Object.entries(written).filter(([name]) => choose(name)));
}
