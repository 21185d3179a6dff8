import { availableParallelism, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { CreationRule } from '../domain/access-policy.js';
import type { AlgorithmSet } from '../domain/algorithm-set.js';
import type { AdmissionLimits } from '../domain/admission-policy.js';
import type { DynoLimits } from '../domain/dyno-policy.js';
import type { ProxyRules } from '../domain/proxy-rules.js';
import type { PenaltyRules } from '../domain/penalty-policy.js';
import type { TimeLimits } from '../domain/time-limits.js';
import { printable } from '../domain/words/printable.js';
import { readKeyLine } from '../adapters/ssh2/public-keys.js';
import { ADMISSION_SETTINGS, readAdmission } from './admission-settings.js';
import { CERTIFICATE_SETTINGS, readCertificates, type CertificateConfig } from './certificate-settings.js';
import { readConfigFile } from './config-file.js';
import { FRONT_SETTINGS, readProxies } from './front-settings.js';
import { listenAddresses, type ListenAddress } from './listen-addresses.js';
import { OPERATING_SETTINGS } from './operating-settings.js';
import { PENALTY_SETTINGS, readPenalties } from './penalty-settings.js';
import { PHASE_SETTINGS, readPhases } from './phase-settings.js';
import { readPlatform, type PlatformConfig } from './platform-config.js';
import { PLATFORM_SETTINGS, SECRET_SETTINGS } from './platform-settings.js';
import { LOCK_SETTINGS, readLocks, type LockConfig } from './lock-settings.js';
import { MIB, onOff, seconds, whole } from './setting-checks.js';
import { readState, SECRET_STATE_SETTINGS, STATE_SETTINGS, type StateConfig } from './state-settings.js';

/** Everything that can be set, read once and passed on. */
export interface Config {
  readonly dataFolder: string;
  readonly platform: PlatformConfig;
  readonly state: StateConfig;
  readonly locks: LockConfig;
  /** At least one. */
  readonly listen: readonly ListenAddress[];
  /** Those in front of this server. */
  readonly proxies: ProxyRules;
  readonly loginName?: string;
  readonly certificates: CertificateConfig;
  readonly algorithms: AlgorithmSet;
  readonly hooksFolder?: string;
  readonly sandbox: 'auto' | 'bubblewrap' | 'none';
  readonly dynoUser: { readonly uid: number; readonly gid: number };
  readonly dynoNetwork: boolean;
  readonly dynoLimits: DynoLimits;
  readonly maxPackBytes: number;
  readonly creation: CreationRule;
  readonly limits: TimeLimits;
  /** Files and packages that bring adapters of one's own, as they are written in the setting. */
  readonly adapters: readonly string[];
  readonly admission: AdmissionLimits;
  readonly penalties: PenaltyRules;
  /** From SIGTERM on, how long everything is served still, in milliseconds. */
  readonly drainDelayMs: number;
  /** Where `/livez` and `/readyz` are served. */
  readonly healthListen?: ListenAddress;
  readonly log: { readonly format: 'auto' | 'json' | 'text'; readonly level: 'debug' | 'info' | 'warn' | 'error' };
  /**
   * Every setting as it was written or by default, by its name: what one configuration is told from another by. For files
   * that a reload reads again, what they hold.
   */
  readonly written: Readonly<Record<string, string>>;
}

export interface Setting {
  readonly name: string;
  /** As it would be written in the environment; empty where there is none. */
  readonly defaultText: string;
  readonly sentence: string;
}

/** All problems of a configuration in one message. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  /** @param file where settings were read from, beside the environment. */
  constructor(problems: readonly string[], file = '') {
    super(
      `The configuration${file === '' ? '' : `, with ${file},`} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const numericUser = z.string().transform((text, context) => {
  const match = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text);
  const uid = Number(match?.[1]);
  if (match === null || uid === 0) {
    context.addIssue('must be a numeric user id that is not 0, or UID:GID (for an account, see: id -u NAME)');
    return z.NEVER;
  }
  return { uid, gid: match[2] === undefined ? uid : Number(match[2]) };
});

const folder = z
  .string()
  .min(1, 'must be a folder')
  .transform((path) => resolve(path));

/** A path that shows it is one, or the name of a package, perhaps with the path of one of its exports. */
const ADAPTER = /^(?:\.{0,2}\/.+|(?:@[a-z0-9-][\w.~-]*\/)?[a-z0-9-][\w.~-]*(?:\/[\w.~-]+)*)$/;

const adapters = z.string().transform((text, context) => {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => ADAPTER.test(name)) && new Set(names).size === names.length) return names;
  context.addIssue('must be paths (./my-adapter.js) and packages (@acme/gitmouth-x), each once, with commas between');
  return z.NEVER;
});

/** Every setting, with its check and its default, in the order of the README's table. */
const SETTINGS = {
  GITMOUTH_DATA: [folder, './data', 'Folder of the database, the host keys and the repositories; made when missing.'],
  GITMOUTH_LISTEN: [
    listenAddresses,
    '127.0.0.1:2222',
    'Address and port to listen on, or several with commas between; `[::]:22` for every interface.',
  ],
  GITMOUTH_LOGIN_NAME: [
    z.string().regex(/^[A-Za-z0-9._-]{1,32}$/, "must be a login name of letters, digits, '.', '_' and '-'"),
    '',
    'The one SSH login name that is let in (`git`, say); unset, any is.',
  ],
  GITMOUTH_ALGORITHMS: [
    z.enum(['modern', 'compatible'], 'must be modern or compatible'),
    'modern',
    'What SSH offers. `compatible` adds what old clients need (NIST curves, group14, SHA-2 MACs), never SHA-1.',
  ],
  GITMOUTH_HOOKS: [folder, '', "Folder of the operator's hooks, run in the dyno for every app."],
  GITMOUTH_SANDBOX: [
    z.enum(['auto', 'bubblewrap', 'none'], 'must be auto, bubblewrap or none'),
    'auto',
    'How dynos are isolated. `auto` is bubblewrap, and without it none, if only this machine can reach the server.',
  ],
  GITMOUTH_DYNO_USER: [
    numericUser,
    '60900',
    'Host user (`UID` or `UID:GID`) that dynos run as and that owns the repositories, where the server is started as root.',
  ],
  GITMOUTH_DYNO_NETWORK: [onOff, 'off', 'Whether dynos may use the network.'],
  GITMOUTH_DYNO_MEMORY_MIB: [
    whole(64, 1_048_576),
    '2048',
    'Data memory of each process in a dyno, in MiB (RLIMIT_DATA).',
  ],
  GITMOUTH_DYNO_PROCESSES: [whole(16, 65_536), '256', 'Processes and threads in one dyno.'],
  GITMOUTH_DYNO_FILE_MIB: [whole(16, 1_048_576), '8192', 'Largest file a dyno may write, in MiB.'],
  GITMOUTH_DYNO_CPU_SECONDS: [whole(10, 604_800), '3600', 'Processor time of each process in a dyno, in seconds.'],
  GITMOUTH_MAX_PACK_MIB: [whole(1, 1_048_576), '4096', 'Largest pack that one push may send, in MiB.'],
  GITMOUTH_CREATE_ON_PUSH: [onOff, 'on', 'Whether a push to an app that does not exist creates it.'],
  GITMOUTH_APPS_PER_USER: [whole(0, 100_000), '100', 'Apps a user may own before pushes create no more.'],
  GITMOUTH_LOCK_WAIT_SECONDS: [
    seconds(0, 86_400),
    '600',
    'How long a push waits for another one to the same app before it is refused, in seconds.',
  ],
  GITMOUTH_TERMINATE_GRACE_SECONDS: [
    seconds(0, 600),
    '5',
    'How long git may clean up once its client has left, before its dyno is killed, in seconds.',
  ],
  GITMOUTH_DRAIN_SECONDS: [seconds(0, 86_400), '300', 'How long running sessions may go on after SIGTERM, in seconds.'],
  GITMOUTH_LOOKUP_CACHE_SECONDS: [
    seconds(0, 300),
    '5',
    "How long a key's user is remembered, in seconds; 0 for not at all.",
  ],
  GITMOUTH_ADAPTERS: [
    adapters,
    '',
    'Modules with adapters of your own: `./my-adapter.js,@acme/gitmouth-x`, found from the working directory.',
  ],
  GITMOUTH_LOG: [
    z.enum(['auto', 'json', 'text'], 'must be auto, json or text'),
    'auto',
    'Form of the log on standard output. `auto` is text on a terminal and JSON lines otherwise.',
  ],
  GITMOUTH_LOG_LEVEL: [
    z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error'),
    'info',
    'What is logged; `debug` adds every connection.',
  ],
  ...CERTIFICATE_SETTINGS,
  ...LOCK_SETTINGS,
  ...STATE_SETTINGS,
  ...OPERATING_SETTINGS,
  ...PLATFORM_SETTINGS,
  ...ADMISSION_SETTINGS,
  ...PENALTY_SETTINGS,
  ...PHASE_SETTINGS,
  ...FRONT_SETTINGS,
} as const satisfies Record<string, readonly [z.ZodType<unknown, string>, string, string]>;

type Name = keyof typeof SETTINGS;
type Value<N extends Name> = z.output<(typeof SETTINGS)[N][0]>;

/** Read by the tests alone, which may share their environment with a server they start. */
const IGNORED = ['GITMOUTH_REQUIRE_ALL', 'GITMOUTH_SOAK', 'GITMOUTH_FUZZ_SEED'];

/** For the README's table, which a test holds against this. */
export const settings: readonly Setting[] = Object.entries(SETTINGS).map(([name, [, defaultText, sentence]]) => ({
  name,
  defaultText,
  sentence,
}));

/** What the command line can give. */
export type Given = Partial<Record<'GITMOUTH_CONFIG' | 'GITMOUTH_DATA' | 'GITMOUTH_LISTEN', string>>;

/**
 * Reads the configuration: the command line goes before the environment, that before the file, and that before defaults.
 * @param cores of this machine, by which some defaults are measured.
 * @throws ConfigError with every problem at once; there is no half-configured start.
 */
export function readConfig(
  given: Given = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
  cores = availableParallelism(),
): Config {
  const path = given.GITMOUTH_CONFIG ?? environment['GITMOUTH_CONFIG'] ?? '';
  const file = path === '' ? { values: {}, problems: [] } : readConfigFile(path);
  const outside = definedOf({ ...environment, ...given });
  const source: Readonly<Record<string, string | undefined>> = { ...file.values, ...outside };
  /** Where a problem is to be put right, for what is not in the environment. */
  const placeOf = (name: string) => (name in file.values && !(name in outside) ? ` (in ${path})` : '');
  const problems = [...file.problems];
  for (const name of Object.keys(source).filter((one) => one.startsWith('GITMOUTH_'))) {
    if (name in SETTINGS || IGNORED.includes(name)) continue;
    problems.push(`${printable(name)} is not a setting of gitmouth: check its name${placeOf(name)}`);
  }
  if ('GITMOUTH_CONFIG' in file.values)
    problems.push(`GITMOUTH_CONFIG names this file, and can't be set in it (${path})`);

  /** Undefined for what is unset or wrong; the wrong is noted, and thrown below. */
  const read = <N extends Name>(name: N): Value<N> | undefined => {
    const [check, defaultText] = SETTINGS[name];
    const text = source[name] ?? defaultText;
    if (text === '') return undefined;
    const result = check.safeParse(text) as z.ZodSafeParseResult<Value<N>>;
    if (result.success) return result.data;
    const why = result.error.issues.map((issue) => issue.message).join(', ');
    const is = [...SECRET_SETTINGS, ...SECRET_STATE_SETTINGS].includes(name) ? '' : `; it is '${printable(text, 80)}'`;
    problems.push(`${name} ${why}${is}${placeOf(name)}`);
    return undefined;
  };
  const must = <N extends Name>(name: N): Value<N> => {
    const value = read(name);
    if (value === undefined && source[name] === '') problems.push(`${name} must not be empty${placeOf(name)}`);
    return value as Value<N>;
  };

  const isSet = (name: string): boolean => (source[name] ?? '') !== '';
  const isChanged = (name: Name): boolean => isSet(name) && source[name] !== SETTINGS[name][1];
  const problem = (text: string) => problems.push(text);

  const loginName = read('GITMOUTH_LOGIN_NAME');
  const hooksFolder = read('GITMOUTH_HOOKS');
  const healthListen = read('GITMOUTH_HEALTH_LISTEN');
  const platform = readPlatform({ read, must, isSet, isChanged, problem });
  const certificates = readCertificates({ read, must, problem, readKeyLine }, platform);
  const config: Config = {
    dataFolder: must('GITMOUTH_DATA'),
    platform,
    certificates: certificates.config,
    state: readState(read('GITMOUTH_STATE')),
    locks: readLocks({ must }),
    listen: isSet('GITMOUTH_LISTEN')
      ? must('GITMOUTH_LISTEN')
      : (listenAsBefore(read('GITMOUTH_PORT')) ?? must('GITMOUTH_LISTEN')),
    proxies: readProxies({ must, read }),
    ...(loginName === undefined ? {} : { loginName }),
    ...(hooksFolder === undefined ? {} : { hooksFolder }),
    algorithms: must('GITMOUTH_ALGORITHMS'),
    sandbox: must('GITMOUTH_SANDBOX'),
    dynoUser: must('GITMOUTH_DYNO_USER'),
    dynoNetwork: must('GITMOUTH_DYNO_NETWORK'),
    dynoLimits: {
      memoryBytes: must('GITMOUTH_DYNO_MEMORY_MIB') * MIB,
      processes: must('GITMOUTH_DYNO_PROCESSES'),
      fileBytes: must('GITMOUTH_DYNO_FILE_MIB') * MIB,
      cpuSeconds: must('GITMOUTH_DYNO_CPU_SECONDS'),
    },
    maxPackBytes: must('GITMOUTH_MAX_PACK_MIB') * MIB,
    creation: { onPush: must('GITMOUTH_CREATE_ON_PUSH'), limit: must('GITMOUTH_APPS_PER_USER') },
    limits: {
      lockWaitMs: must('GITMOUTH_LOCK_WAIT_SECONDS'),
      terminateGraceMs: must('GITMOUTH_TERMINATE_GRACE_SECONDS'),
      drainMs: must('GITMOUTH_DRAIN_SECONDS'),
      lookupCacheMs: must('GITMOUTH_LOOKUP_CACHE_SECONDS'),
      ...readPhases(must, problem),
    },
    adapters: read('GITMOUTH_ADAPTERS') ?? [],
    admission: readAdmission({ must, isSet, problem }, cores),
    penalties: readPenalties({ must, read, problem }),
    drainDelayMs: must('GITMOUTH_DRAIN_DELAY_SECONDS'),
    ...(healthListen === undefined ? {} : { healthListen }),
    log: { format: must('GITMOUTH_LOG'), level: must('GITMOUTH_LOG_LEVEL') },
    written: {
      ...Object.fromEntries(settings.map(({ name, defaultText }) => [name, source[name] ?? defaultText])),
      ...certificates.contents,
    },
  };
  if (problems.length > 0) throw new ConfigError(problems, path);
  return Object.freeze(config);
}

function definedOf(values: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** Where the original listened. */
function listenAsBefore(port: number | undefined): Config['listen'] | undefined {
  return port === undefined ? undefined : [{ host: '0.0.0.0', port }];
}

/** The operating system's account and home: what a first start makes its first user of. */
export function account(): { readonly name: string; readonly home: string; readonly agentSocket?: string } {
  const { name, home } = ownEntry();
  const agentSocket = process.env['SSH_AUTH_SOCK'];
  return {
    name,
    home: process.env['HOME'] ?? home,
    ...(agentSocket === undefined || agentSocket === '' ? {} : { agentSocket }),
  };
}

/** A user id without an entry in the password file is common in containers. */
function ownEntry(): { readonly name: string; readonly home: string } {
  try {
    const { username, homedir } = userInfo();
    return { name: username, home: homedir };
  } catch {
    return { name: process.env['USER'] ?? '', home: '/' };
  }
}
