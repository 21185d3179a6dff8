/** Which platform stands behind the door: where it is, how it is known, and how long it may take. */
import {
  type HOST_KEYS_FROM,
  PLATFORM_SETTINGS,
  type PlatformSetting,
  type PlatformValue,
  type TLS_VERSIONS,
  type VARIABLES,
} from './platform-settings.js';

/** What makes a peer the right one. */
export interface TlsTrustConfig {
  /** PEM text. */
  readonly ca?: string;
  readonly pinnedSha256?: string;
  readonly serverName?: string;
  readonly minVersion: (typeof TLS_VERSIONS)[number];
  readonly verify: boolean;
}

export interface OpenrukoConfig {
  readonly kind: 'openruko';
  readonly api: {
    readonly protocol: 'http' | 'https';
    readonly host: string;
    readonly port: number;
    readonly serviceKey: string;
    readonly trust: TlsTrustConfig;
    readonly callMs: number;
    readonly provisionMs: number;
  };
  readonly dynoHost: {
    readonly port: number;
    readonly trust: TlsTrustConfig;
    readonly connectMs: number;
    readonly startMs: number;
  };
  /** The original's host key, which users know the server by. */
  readonly hostKeyFile?: string;
}

export interface HttpPlatformConfig {
  readonly kind: 'http';
  readonly api: {
    readonly url: string;
    readonly auth:
      { readonly kind: 'hmac'; readonly secret: string } | { readonly kind: 'bearer'; readonly token: string };
    readonly trust: TlsTrustConfig;
    readonly callMs: number;
    readonly provisionMs: number;
  };
  readonly dynos: {
    /** Unset: one of gitmouth's own making, in the data folder. */
    readonly keyFile?: string;
    readonly variables: (typeof VARIABLES)[number];
    readonly connectMs: number;
  };
  readonly hostKeysFrom: (typeof HOST_KEYS_FROM)[number];
}

export type PlatformConfig = { readonly kind: 'embedded' } | OpenrukoConfig | HttpPlatformConfig;

/** How the configuration is read: what is wrong is noted there, and read as undefined here. */
export interface PlatformSource {
  readonly read: <N extends PlatformSetting>(name: N) => PlatformValue<N> | undefined;
  readonly must: <N extends PlatformSetting>(name: N) => PlatformValue<N>;
  readonly isSet: (name: PlatformSetting) => boolean;
  /** Set, and to something else than its default. */
  readonly isChanged: (name: PlatformSetting | EmbeddedSetting) => boolean;
  readonly problem: (text: string) => void;
}

type Kind = PlatformConfig['kind'];

/** What one platform alone has a use for; set for another, somebody is mistaken about what it does. */
const EMBEDDED = [
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
] as const;

export type EmbeddedSetting = (typeof EMBEDDED)[number];

const ONLY_FOR: Readonly<Record<Kind, readonly (PlatformSetting | EmbeddedSetting)[]>> = {
  embedded: EMBEDDED,
  openruko: names(/^GITMOUTH_(?:DYNO_HOST_|DYNO_START_|PORT$|PRIVATE_KEY$|PUBLIC_KEY$)/),
  http: names(/^GITMOUTH_(?:API_(?:URL|SECRET|TOKEN)$|DYNO_SSH_|HOST_KEYS_FROM$)/),
};

/** What all platforms but the embedded one share. */
const NOT_EMBEDDED = names(
  /^GITMOUTH_(?:API_(?:CA|PIN|SERVER_NAME|MIN_TLS|VERIFY|SECONDS)$|PROVISION_SECONDS|DYNO_CONNECT_SECONDS)/,
);

function names(pattern: RegExp): readonly PlatformSetting[] {
  return [...keysOf(PLATFORM_SETTINGS)].filter((name) => pattern.test(name));
}

function* keysOf<T extends object>(object: T): Generator<keyof T> {
  for (const key in object) yield key;
}

export function readPlatform(source: PlatformSource): PlatformConfig {
  const kind = source.must('GITMOUTH_PLATFORM');
  noteForeign(kind, source);
  if (kind === 'openruko') return readOpenruko(source);
  return kind === 'http' ? readHttp(source) : { kind: 'embedded' };
}

function noteForeign(kind: Kind, { isChanged, problem }: PlatformSource): void {
  const foreign = Object.entries(ONLY_FOR).filter(([other]) => other !== kind);
  for (const [other, settings] of foreign) {
    for (const name of settings.filter(isChanged)) {
      problem(`${name} is for GITMOUTH_PLATFORM=${other} alone, and it is '${kind}': unset one of the two`);
    }
  }
  if (kind !== 'embedded') return;
  for (const name of NOT_EMBEDDED.filter(isChanged)) {
    problem(`${name} is for platforms with an API, and GITMOUTH_PLATFORM is 'embedded': unset one of the two`);
  }
}

function readOpenruko(source: PlatformSource): OpenrukoConfig {
  const { read, must, problem } = source;
  const serviceKey = read('APISERVER_KEY');
  if (serviceKey === undefined && !source.isSet('APISERVER_KEY')) {
    problem("APISERVER_KEY must be set: it is the API server's own key, and its superuser's");
  }
  noteUselessTrust(read('APISERVER_PROTOCOL') === 'http', source);
  const hostKeyFile = read('GITMOUTH_PRIVATE_KEY');
  return {
    kind: 'openruko',
    api: {
      protocol: must('APISERVER_PROTOCOL'),
      host: must('APISERVER_HOSTNAME'),
      port: must('APISERVER_PORT'),
      serviceKey: serviceKey ?? '',
      trust: readTrust(source, 'GITMOUTH_API'),
      callMs: must('GITMOUTH_API_SECONDS'),
      provisionMs: must('GITMOUTH_PROVISION_SECONDS'),
    },
    dynoHost: {
      port: must('DYNOHOST_RENDEZVOUS_PORT'),
      trust: readTrust(source, 'GITMOUTH_DYNO_HOST'),
      connectMs: must('GITMOUTH_DYNO_CONNECT_SECONDS'),
      startMs: must('GITMOUTH_DYNO_START_SECONDS'),
    },
    ...(hostKeyFile === undefined ? {} : { hostKeyFile }),
  };
}

/** Over plain HTTP there is nobody to verify. */
function noteUselessTrust(isPlain: boolean, { isSet, problem }: PlatformSource): void {
  if (!isPlain) return;
  for (const name of ['GITMOUTH_API_CA', 'GITMOUTH_API_PIN', 'GITMOUTH_API_SERVER_NAME'] as const) {
    if (isSet(name)) problem(`${name} is set, and the API is spoken with over plain HTTP: use https, or unset it`);
  }
}

function readHttp(source: PlatformSource): HttpPlatformConfig {
  const { read, must, problem, isSet } = source;
  const apiUrl = read('GITMOUTH_API_URL');
  noteUselessTrust(isPlainHttp(apiUrl ?? ''), source);
  if (!isSet('GITMOUTH_API_URL')) problem("GITMOUTH_API_URL must be set: it is the address of the platform's API");
  const [secret, token] = [read('GITMOUTH_API_SECRET'), read('GITMOUTH_API_TOKEN')];
  if (isSet('GITMOUTH_API_SECRET') === isSet('GITMOUTH_API_TOKEN')) {
    problem(
      'GITMOUTH_API_SECRET or GITMOUTH_API_TOKEN must be set, and not both: by one of them the API knows gitmouth',
    );
  }
  const keyFile = read('GITMOUTH_DYNO_SSH_KEY');
  return {
    kind: 'http',
    api: {
      url: apiUrl ?? '',
      auth: token === undefined ? { kind: 'hmac', secret: secret ?? '' } : { kind: 'bearer', token },
      trust: readTrust(source, 'GITMOUTH_API'),
      callMs: must('GITMOUTH_API_SECONDS'),
      provisionMs: must('GITMOUTH_PROVISION_SECONDS'),
    },
    dynos: {
      ...(keyFile === undefined ? {} : { keyFile }),
      variables: must('GITMOUTH_DYNO_SSH_VARIABLES'),
      connectMs: must('GITMOUTH_DYNO_CONNECT_SECONDS'),
    },
    hostKeysFrom: readHostKeysFrom(source, isPlainHttp(apiUrl ?? '')),
  };
}

/** Who gets the private keys on the way can be taken for this server ever after. */
function readHostKeysFrom({ must, problem }: PlatformSource, isPlain: boolean): HttpPlatformConfig['hostKeysFrom'] {
  const from = must('GITMOUTH_HOST_KEYS_FROM');
  if (from === 'platform' && (isPlain || !must('GITMOUTH_API_VERIFY'))) {
    problem(
      'GITMOUTH_HOST_KEYS_FROM=platform sends private keys, so the API is to be verified and spoken with over https',
    );
  }
  return from;
}

function readTrust({ read, must, isSet, problem }: PlatformSource, of: 'GITMOUTH_API' | 'GITMOUTH_DYNO_HOST') {
  const ca = read(`${of}_CA`);
  const pinnedSha256 = read(`${of}_PIN`);
  const serverName = read(`${of}_SERVER_NAME`);
  const verify = must(`${of}_VERIFY`);
  for (const name of [`${of}_CA`, `${of}_PIN`, `${of}_SERVER_NAME`] as const) {
    if (!verify && isSet(name))
      problem(`${name} is set, and ${of}_VERIFY=off makes it mean nothing: unset one of the two`);
  }
  const trust: TlsTrustConfig = {
    ...(ca === undefined ? {} : { ca }),
    ...(pinnedSha256 === undefined ? {} : { pinnedSha256 }),
    ...(serverName === undefined ? {} : { serverName }),
    minVersion: must(`${of}_MIN_TLS`),
    verify,
  };
  return trust;
}

function isPlainHttp(url: string): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'http:';
}

/** What an operator is told at each start, as it lets others listen or answer. */
export function platformWarnings(platform: PlatformConfig): readonly string[] {
  if (platform.kind === 'embedded') return [];
  const { api } = platform;
  const isPlain = platform.kind === 'openruko' ? platform.api.protocol === 'http' : isPlainHttp(platform.api.url);
  const dynosUnverified = platform.kind === 'openruko' && !platform.dynoHost.trust.verify;
  return [
    ...(isPlain
      ? ['THE API IS SPOKEN WITH OVER PLAIN HTTP: anybody on the way can read and change everything, keys too.']
      : []),
    ...(isPlain || api.trust.verify
      ? []
      : [
          'THE API IS NOT VERIFIED (GITMOUTH_API_VERIFY=off): anybody on the way can answer in its place and read keys.',
        ]),
    ...(dynosUnverified
      ? [
          'DYNO HOSTS ARE NOT VERIFIED (GITMOUTH_DYNO_HOST_VERIFY=off): anybody on the way can read the key and every push.',
        ]
      : []),
  ];
}
