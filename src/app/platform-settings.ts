/** The settings of platforms other than the embedded one: where they are, how they are known, and how long they may take. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { seconds, whole } from './setting-checks.js';

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
}

export type PlatformConfig = { readonly kind: 'embedded' } | OpenrukoConfig | HttpPlatformConfig;

const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
const VARIABLES = ['auto', 'environment', 'command'] as const;

const port = whole(1, 65_535);
const text = z.string();
const onOff = z.enum(['on', 'off'], 'must be on or off').transform((value) => value === 'on');
const minTls = z.enum(TLS_VERSIONS, `must be ${TLS_VERSIONS.join(', ')}`);
const pin = z
  .string()
  .regex(/^(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/, 'must be the SHA-256 of a certificate: 64 hexadecimal digits');
const serverName = z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9.:_-]{0,252}$/, 'must be a host name or an address');
/** What can't stand in a header, or in the first line of a rendezvous, is no key. */
const secret = z
  .string()
  .regex(/^[\x21-\x7e]{1,512}$/, 'must be printable ASCII without spaces, at most 512 characters');
const url = z.string().refine(isApiUrl, 'must be a URL such as https://api.example.com/git, without user, query or #');
const pem = z.string().transform((path, context) => {
  try {
    const content = readFileSync(path, 'utf8');
    if (content.includes('-----BEGIN CERTIFICATE-----')) return content;
    context.addIssue('must be a file with certificates in PEM form');
  } catch (error) {
    context.addIssue(`must be a file that can be read (${error instanceof Error ? error.message : String(error)})`);
  }
  return z.NEVER;
});

function isApiUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const parsed = new URL(value);
  return (
    /^https?:$/.test(parsed.protocol) &&
    parsed.username === '' &&
    parsed.password === '' &&
    parsed.search === '' &&
    parsed.hash === ''
  );
}

export const PLATFORM_SETTINGS = {
  GITMOUTH_PLATFORM: [
    z.enum(['embedded', 'openruko', 'http'], 'must be embedded, openruko or http'),
    'embedded',
    'Who knows the users and apps, and makes the dynos: this gitmouth, an Openruko installation, or an API of yours.',
  ],
  GITMOUTH_API_URL: [url, '', "Address of the platform's API (`http` alone)."],
  GITMOUTH_API_SECRET: [secret, '', 'Secret that requests to the API are signed with (HMAC-SHA256; `http` alone).'],
  GITMOUTH_API_TOKEN: [secret, '', 'Bearer token for the API, in place of a signature (`http` alone).'],
  GITMOUTH_API_CA: [pem, '', "File with the authorities (PEM) to trust for the API, in place of the system's."],
  GITMOUTH_API_PIN: [pin, '', "SHA-256 of the API's certificate: the one to trust, whoever signed it."],
  GITMOUTH_API_SERVER_NAME: [serverName, '', "Name the API's certificate is for, where it is not the host's."],
  GITMOUTH_API_MIN_TLS: [minTls, 'TLSv1.2', 'Lowest version of TLS to speak with the API.'],
  GITMOUTH_API_VERIFY: [onOff, 'on', 'Whether the API must prove who it is. `off` lets anybody on the way read keys.'],
  GITMOUTH_API_SECONDS: [seconds(1, 60), '5', 'How long one question to the API may take, in seconds.'],
  GITMOUTH_PROVISION_SECONDS: [seconds(1, 600), '20', 'How long the API may take to find or make a dyno, in seconds.'],
  GITMOUTH_DYNO_CONNECT_SECONDS: [seconds(1, 60), '5', 'How long the way into a dyno may take, in seconds.'],
  GITMOUTH_DYNO_SSH_KEY: [
    text,
    '',
    'Private key that gitmouth shows its dynos over SSH; unset, `dyno_ed25519_key` in the data folder, made when missing.',
  ],
  GITMOUTH_DYNO_SSH_VARIABLES: [
    z.enum(VARIABLES, `must be ${VARIABLES.join(', ')}`),
    'auto',
    'How variables reach a dyno over SSH: as `environment`, before the `command` (never secrets), or what works (`auto`).',
  ],
  APISERVER_KEY: [secret, '', "The API server's own key, which dyno hosts know gitmouth by too (`openruko` alone)."],
  APISERVER_PROTOCOL: [
    z.enum(['https', 'http'], 'must be https or http'),
    'https',
    'How the API server is spoken with; `http` sends keys readably.',
  ],
  APISERVER_HOSTNAME: [serverName, 'localhost', 'Host of the API server.'],
  APISERVER_PORT: [port, '5000', 'Port of the API server.'],
  DYNOHOST_RENDEZVOUS_PORT: [port, '4000', 'Port of every dyno host.'],
  GITMOUTH_DYNO_HOST_CA: [pem, '', 'As `GITMOUTH_API_CA`, for the dyno hosts (`openruko` alone).'],
  GITMOUTH_DYNO_HOST_PIN: [pin, '', 'As `GITMOUTH_API_PIN`, for the dyno hosts.'],
  GITMOUTH_DYNO_HOST_SERVER_NAME: [serverName, '', 'As `GITMOUTH_API_SERVER_NAME`, for the dyno hosts.'],
  GITMOUTH_DYNO_HOST_MIN_TLS: [minTls, 'TLSv1.2', 'As `GITMOUTH_API_MIN_TLS`, for the dyno hosts.'],
  GITMOUTH_DYNO_HOST_VERIFY: [onOff, 'on', 'As `GITMOUTH_API_VERIFY`, for the dyno hosts.'],
  GITMOUTH_DYNO_START_SECONDS: [
    seconds(1, 600),
    '60',
    'How long a dyno of a dyno host may take until git says its first word, in seconds.',
  ],
  GITMOUTH_PORT: [port, '', "The original's name for the port to listen on, on every interface (`openruko` alone)."],
  GITMOUTH_PRIVATE_KEY: [
    text,
    '',
    "The original's name for the file of the host key, which users know the server by (`openruko` alone).",
  ],
  GITMOUTH_PUBLIC_KEY: [text, '', "The original's name for its public half; it is in the private key, and not read."],
} as const satisfies Record<string, readonly [z.ZodType<unknown, string>, string, string]>;

export type PlatformSetting = keyof typeof PLATFORM_SETTINGS;
type Value<N extends PlatformSetting> = z.output<(typeof PLATFORM_SETTINGS)[N][0]>;

/** Their values are never repeated, not even in an error about them. */
export const SECRET_SETTINGS: readonly string[] = [
  'GITMOUTH_API_SECRET',
  'GITMOUTH_API_TOKEN',
  'APISERVER_KEY',
] satisfies PlatformSetting[];

/** How the configuration is read: what is wrong is noted there, and read as undefined here. */
export interface PlatformSource {
  readonly read: <N extends PlatformSetting>(name: N) => Value<N> | undefined;
  readonly must: <N extends PlatformSetting>(name: N) => Value<N>;
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
  http: names(/^GITMOUTH_(?:API_(?:URL|SECRET|TOKEN)$|DYNO_SSH_)/),
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

function readHttp(source: PlatformSource): HttpPlatformConfig {
  const { read, must, problem, isSet } = source;
  const apiUrl = read('GITMOUTH_API_URL');
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
  };
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

/** What an operator is told at each start, as it lets others listen or answer. */
export function platformWarnings(platform: PlatformConfig): readonly string[] {
  if (platform.kind === 'embedded') return [];
  const { api } = platform;
  const isPlain =
    platform.kind === 'openruko' ? platform.api.protocol === 'http' : platform.api.url.startsWith('http:');
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
