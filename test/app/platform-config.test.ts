import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig } from '../../src/app/config.js';
import { platformWarnings } from '../../src/app/platform-config.js';
import { temporaryFolder } from '../support/temporary.js';

type Environment = Readonly<Record<string, string>>;

function problemsOf(environment: Environment): readonly string[] {
  try {
    readConfig({}, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const platformOf = (environment: Environment) => readConfig({}, environment).platform;
const warningsOf = (environment: Environment) => platformWarnings(platformOf(environment));

const KEY = 'a-service-key';
const OPENRUKO = { GITMOUTH_PLATFORM: 'openruko', APISERVER_KEY: KEY };
const HTTP = {
  GITMOUTH_PLATFORM: 'http',
  GITMOUTH_API_URL: 'https://api.example.com/git',
  GITMOUTH_API_SECRET: 'shared',
};
const PIN = Array.from({ length: 32 }, () => 'AB').join(':');

test('the embedded platform is the default, and takes no notice of what an API server nearby is told', () => {
  expect(platformOf({})).toEqual({ kind: 'embedded' });
  expect(platformOf({ APISERVER_KEY: KEY, APISERVER_PORT: 'not a port' })).toEqual({ kind: 'embedded' });
});

describe('GITMOUTH_PLATFORM=openruko', () => {
  test("has the original's defaults, verified", () => {
    expect(platformOf(OPENRUKO)).toEqual({
      kind: 'openruko',
      api: {
        protocol: 'https',
        host: 'localhost',
        port: 5000,
        serviceKey: KEY,
        trust: { minVersion: 'TLSv1.2', verify: true },
        callMs: 5_000,
        provisionMs: 20_000,
      },
      dynoHost: { port: 4000, trust: { minVersion: 'TLSv1.2', verify: true }, connectMs: 5_000, startMs: 60_000 },
    });
  });

  test("understands the original's names, and listens where it did", () => {
    const { platform, listen } = readConfig(
      {},
      {
        ...OPENRUKO,
        APISERVER_PROTOCOL: 'http',
        APISERVER_HOSTNAME: 'api.internal',
        APISERVER_PORT: '5001',
        DYNOHOST_RENDEZVOUS_PORT: '4001',
        GITMOUTH_PORT: '2022',
        GITMOUTH_PRIVATE_KEY: 'certs/server.key',
        GITMOUTH_PUBLIC_KEY: 'certs/server.pub',
      },
    );
    expect(listen).toEqual([{ host: '0.0.0.0', port: 2022 }]);
    expect(platform).toMatchObject({
      api: { protocol: 'http', host: 'api.internal', port: 5001 },
      dynoHost: { port: 4001 },
      hostKeyFile: 'certs/server.key',
    });
  });

  test('listens by its own setting where both are given', () => {
    const both = { ...OPENRUKO, GITMOUTH_PORT: '2022', GITMOUTH_LISTEN: '127.0.0.1:22' };
    expect(readConfig({}, both).listen).toEqual([{ host: '127.0.0.1', port: 22 }]);
  });

  test('takes trust of its own for the API server and the dyno hosts', () => {
    const ca = join(temporaryFolder('ca'), 'ca.pem');
    writeFileSync(ca, '-----BEGIN CERTIFICATE-----\n');
    const platform = platformOf({
      ...OPENRUKO,
      GITMOUTH_API_CA: ca,
      GITMOUTH_API_SERVER_NAME: 'api',
      GITMOUTH_API_MIN_TLS: 'TLSv1.3',
      GITMOUTH_DYNO_HOST_PIN: PIN,
      GITMOUTH_DYNO_HOST_MIN_TLS: 'TLSv1',
    });
    expect(platform).toMatchObject({
      api: { trust: { ca: '-----BEGIN CERTIFICATE-----\n', serverName: 'api', minVersion: 'TLSv1.3', verify: true } },
      dynoHost: { trust: { pinnedSha256: PIN, minVersion: 'TLSv1', verify: true } },
    });
  });

  test('can not be without the key', () => {
    expect(problemsOf({ GITMOUTH_PLATFORM: 'openruko' })).toEqual([
      "APISERVER_KEY must be set: it is the API server's own key, and its superuser's",
    ]);
  });
});

describe('GITMOUTH_PLATFORM=http', () => {
  test('has its defaults, verified', () => {
    expect(platformOf(HTTP)).toEqual({
      kind: 'http',
      api: {
        url: 'https://api.example.com/git',
        auth: { kind: 'hmac', secret: 'shared' },
        trust: { minVersion: 'TLSv1.2', verify: true },
        callMs: 5_000,
        provisionMs: 20_000,
      },
      dynos: { variables: 'auto', connectMs: 5_000 },
      hostKeysFrom: 'files',
    });
  });

  test.each([{ GITMOUTH_API_URL: 'http://127.0.0.1:5000' }, { GITMOUTH_API_VERIFY: 'off' }])(
    'takes the host keys from nobody who can be another, as with %j',
    (insecure) => {
      const from = { GITMOUTH_HOST_KEYS_FROM: 'platform' };
      expect(platformOf({ ...HTTP, ...from })).toMatchObject({ hostKeysFrom: 'platform' });
      expect(problemsOf({ ...HTTP, ...from, ...insecure })).toEqual([
        'GITMOUTH_HOST_KEYS_FROM=platform sends private keys, so the API is to be verified and spoken with over https',
      ]);
    },
  );

  test('takes a bearer token in place of the secret', () => {
    const { GITMOUTH_API_SECRET: _, ...rest } = HTTP;
    expect(platformOf({ ...rest, GITMOUTH_API_TOKEN: 't' })).toMatchObject({
      api: { auth: { kind: 'bearer', token: 't' } },
    });
  });

  test('must be told where the API is, and by what it knows gitmouth', () => {
    expect(problemsOf({ GITMOUTH_PLATFORM: 'http' })).toEqual([
      "GITMOUTH_API_URL must be set: it is the address of the platform's API",
      'GITMOUTH_API_SECRET or GITMOUTH_API_TOKEN must be set, and not both: by one of them the API knows gitmouth',
    ]);
    expect(problemsOf({ ...HTTP, GITMOUTH_API_TOKEN: 't' })).toHaveLength(1);
  });

  test.each([
    'api.example.com',
    'ftp://api.example.com',
    'https://user:pass@api.example.com',
    'https://api.example.com/?x=1',
    'https://api.example.com/#x',
  ])('takes no %s for an address', (address) => {
    expect(problemsOf({ ...HTTP, GITMOUTH_API_URL: address })[0]).toMatch(/^GITMOUTH_API_URL must be a URL such as/);
  });
});

describe('a problem', () => {
  test.each([
    ['GITMOUTH_API_CA', '/nowhere/ca.pem', /^GITMOUTH_API_CA must be a file that can be read \(ENOENT/],
    ['GITMOUTH_API_CA', 'package.json', /^GITMOUTH_API_CA must be a file with certificates in PEM form/],
    ['GITMOUTH_API_PIN', 'AB:CD', /^GITMOUTH_API_PIN must be the SHA-256 of a certificate/],
    ['GITMOUTH_API_MIN_TLS', 'SSLv3', /^GITMOUTH_API_MIN_TLS must be TLSv1, TLSv1.1, TLSv1.2, TLSv1.3/],
    ['GITMOUTH_API_VERIFY', 'maybe', /^GITMOUTH_API_VERIFY must be on or off/],
    ['GITMOUTH_DYNO_HOST_SERVER_NAME', 'a b', /^GITMOUTH_DYNO_HOST_SERVER_NAME must be a host name/],
    ['APISERVER_PORT', '0', /^APISERVER_PORT must be a whole number from 1 to 65535/],
  ])('is %s=%s', (name, value, expected) => {
    expect(problemsOf({ ...OPENRUKO, [name]: value })).toEqual([expect.stringMatching(expected)]);
  });

  test.each(['CA', 'PIN', 'SERVER_NAME'])('is GITMOUTH_API_%s beside GITMOUTH_API_VERIFY=off', (what) => {
    const value = { CA: 'x', PIN, SERVER_NAME: 'api' }[what] ?? '';
    const problems = problemsOf({ ...OPENRUKO, GITMOUTH_API_VERIFY: 'off', [`GITMOUTH_API_${what}`]: value });
    expect(problems).toContain(
      `GITMOUTH_API_${what} is set, and GITMOUTH_API_VERIFY=off makes it mean nothing: unset one of the two`,
    );
  });

  test.each([
    [{}, 'GITMOUTH_API_URL', 'https://a.example.com', 'http'],
    [{}, 'GITMOUTH_DYNO_HOST_PIN', PIN, 'openruko'],
    [{}, 'GITMOUTH_PORT', '22', 'openruko'],
    [OPENRUKO, 'GITMOUTH_HOOKS', '/hooks', 'embedded'],
    [OPENRUKO, 'GITMOUTH_DYNO_SSH_VARIABLES', 'command', 'http'],
    [{}, 'GITMOUTH_HOST_KEYS_FROM', 'platform', 'http'],
    [HTTP, 'GITMOUTH_SANDBOX', 'none', 'embedded'],
    [HTTP, 'GITMOUTH_PRIVATE_KEY', 'server.key', 'openruko'],
  ])('in %j is %s, which another platform alone has a use for', (environment, name, value, platform) => {
    expect(problemsOf({ ...environment, [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name} is for GITMOUTH_PLATFORM=${platform} alone`)),
    ]);
  });

  test('is what only platforms with an API have a use for, with the embedded one', () => {
    expect(problemsOf({ GITMOUTH_API_SECONDS: '7' })).toEqual([
      "GITMOUTH_API_SECONDS is for platforms with an API, and GITMOUTH_PLATFORM is 'embedded': unset one of the two",
    ]);
  });

  test.each([
    { ...HTTP, GITMOUTH_API_URL: 'HTTP://api.example.com' },
    { ...OPENRUKO, APISERVER_PROTOCOL: 'http' },
  ])('is a pin where nothing is encrypted, in %j', (environment) => {
    expect(problemsOf({ ...environment, GITMOUTH_API_PIN: PIN })).toEqual([
      'GITMOUTH_API_PIN is set, and the API is spoken with over plain HTTP: use https, or unset it',
    ]);
  });

  test('repeats no secret', () => {
    const problems = [
      ...problemsOf({ ...OPENRUKO, APISERVER_KEY: 'my secret' }),
      ...problemsOf({ ...HTTP, GITMOUTH_API_SECRET: 'my secret' }),
      ...problemsOf({ ...HTTP, GITMOUTH_API_SECRET: '', GITMOUTH_API_TOKEN: 'my secret' }),
    ];
    expect(problems.length).toBeGreaterThan(2);
    expect(problems.join()).not.toContain('my secret');
    expect(problems[0]).toBe('APISERVER_KEY must be printable ASCII without spaces, at most 512 characters');
  });
});

describe('at each start an operator is told', () => {
  test('nothing where everything is verified', () => {
    expect([...warningsOf({}), ...warningsOf(OPENRUKO), ...warningsOf(HTTP)]).toEqual([]);
  });

  test.each([
    [{ ...OPENRUKO, APISERVER_PROTOCOL: 'http' }, /PLAIN HTTP/],
    [{ ...HTTP, GITMOUTH_API_URL: 'http://127.0.0.1:5000' }, /PLAIN HTTP/],
    [{ ...HTTP, GITMOUTH_API_URL: 'HTTP://api.example.com' }, /PLAIN HTTP/],
    [{ ...OPENRUKO, GITMOUTH_API_VERIFY: 'off' }, /^THE API IS NOT VERIFIED \(GITMOUTH_API_VERIFY=off\)/],
    [{ ...HTTP, GITMOUTH_API_VERIFY: 'off' }, /^THE API IS NOT VERIFIED/],
    [{ ...OPENRUKO, GITMOUTH_DYNO_HOST_VERIFY: 'off' }, /^DYNO HOSTS ARE NOT VERIFIED/],
  ])('of what is not, in %j', (environment, expected) => {
    expect(warningsOf(environment)).toEqual([expect.stringMatching(expected)]);
  });
});
