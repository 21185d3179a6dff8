/** The settings of platforms other than the embedded one, with their checks and defaults. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { reasonOf } from './reason.js';
import { onOff, seconds, whole } from './setting-checks.js';

export const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export const HOST_KEYS_FROM = ['files', 'platform'] as const;
export const VARIABLES = ['auto', 'environment', 'command'] as const;

const port = whole(1, 65_535);
const text = z.string();
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
    context.addIssue(`must be a file that can be read (${reasonOf(error)})`);
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
    'Private key that dynos over SSH let gitmouth in by (`http` alone); unset, one in the data folder, made when missing.',
  ],
  GITMOUTH_DYNO_SSH_VARIABLES: [
    z.enum(VARIABLES, `must be ${VARIABLES.join(', ')}`),
    'auto',
    'How variables reach dynos over SSH (`http` alone): as `environment`, before the `command` (no secrets), or as works (`auto`).',
  ],
  GITMOUTH_HOST_KEYS_FROM: [
    z.enum(HOST_KEYS_FROM, `must be ${HOST_KEYS_FROM.join(' or ')}`),
    'files',
    'Where the host keys are: `files` in the data folder, or the `platform`, for all gitmouths the same (`http` alone).',
  ],
  APISERVER_KEY: [secret, '', "The API server's own key, which dyno hosts know gitmouth by too (`openruko` alone)."],
  APISERVER_PROTOCOL: [
    z.enum(['https', 'http'], 'must be https or http'),
    'https',
    'How the API server is spoken with; `http` sends keys readably.',
  ],
  APISERVER_HOSTNAME: [serverName, 'localhost', 'Host of the API server.'],
  APISERVER_PORT: [port, '5000', 'Port of the API server.'],
  DYNOHOST_RENDEZVOUS_PORT: [port, '4000', 'Port of every dyno host (`openruko` alone).'],
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
  GITMOUTH_PORT: [
    port,
    '',
    "The original's name for the port to listen on, on every IPv4 interface (`openruko` alone).",
  ],
  GITMOUTH_PRIVATE_KEY: [
    text,
    '',
    "The original's name for the file of the host key, which users know the server by (`openruko` alone).",
  ],
  GITMOUTH_PUBLIC_KEY: [text, '', "The original's name for its public half; it is in the private key, and not read."],
} as const satisfies Record<string, readonly [z.ZodType<unknown, string>, string, string]>;

export type PlatformSetting = keyof typeof PLATFORM_SETTINGS;
export type PlatformValue<N extends PlatformSetting> = z.output<(typeof PLATFORM_SETTINGS)[N][0]>;

/** Their values are never repeated, not even in an error about them. */
export const SECRET_SETTINGS: readonly string[] = [
  'GITMOUTH_API_SECRET',
  'GITMOUTH_API_TOKEN',
  'APISERVER_KEY',
] satisfies PlatformSetting[];
