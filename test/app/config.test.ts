import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig, settings } from '../../src/app/config.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../src/domain/admission-policy.js';
import { DEFAULT_DYNO_LIMITS } from '../../src/domain/dyno-policy.js';
import { DEFAULT_TIME_LIMITS } from '../../src/domain/time-limits.js';

const ROOT = join(import.meta.dirname, '../..');

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig({}, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('with nothing set', () => {
  const config = readConfig({}, {}, 2);

  test('the limits are those of the domain', () => {
    expect(config.limits).toEqual(DEFAULT_TIME_LIMITS);
    expect(config.dynoLimits).toEqual(DEFAULT_DYNO_LIMITS);
    expect(config.admission).toEqual(DEFAULT_ADMISSION_LIMITS);
  });

  test('the server is for this machine alone, with everything in ./data', () => {
    expect(config).toMatchObject({
      dataFolder: resolve('data'),
      listen: [{ host: '127.0.0.1', port: 2222 }],
      algorithms: 'modern',
      sandbox: 'auto',
      dynoUser: { uid: 60_900, gid: 60_900 },
      dynoNetwork: false,
      maxPackBytes: 4096 * 1024 ** 2,
      creation: { onPush: true, limit: 100 },
      log: { format: 'auto', level: 'info' },
    });
    expect(config).not.toHaveProperty('loginName');
    expect(config).not.toHaveProperty('hooksFolder');
  });

  test('nothing of it can be changed afterwards', () => {
    expect(() => Object.assign(config, { sandbox: 'none' })).toThrow(TypeError);
  });
});

describe('a setting', () => {
  test('of a pause that would come after the end is wrong', () => {
    const environment = { GITMOUTH_STALL_PAUSE_SECONDS: '20', GITMOUTH_STALL_SECONDS: '10' };
    expect(() => readConfig({}, environment)).toThrow(
      "GITMOUTH_STALL_PAUSE_SECONDS must be at most GITMOUTH_STALL_SECONDS, which is 10; it is '20'",
    );
    expect(readConfig({}, { ...environment, GITMOUTH_STALL_SECONDS: '0' }).limits.stallEndMs).toBe(0);
  });

  test('in seconds or MiB comes in milliseconds or bytes', () => {
    const config = readConfig(
      {},
      {
        GITMOUTH_DRAIN_SECONDS: '7',
        GITMOUTH_LOCK_WAIT_SECONDS: '0',
        GITMOUTH_TERMINATE_GRACE_SECONDS: '2',
        GITMOUTH_LOOKUP_CACHE_SECONDS: '0',
        GITMOUTH_DYNO_MEMORY_MIB: '64',
        GITMOUTH_DYNO_FILE_MIB: '16',
        GITMOUTH_DYNO_CPU_SECONDS: '10',
        GITMOUTH_DYNO_PROCESSES: '16',
        GITMOUTH_MAX_PACK_MIB: '1',
        GITMOUTH_MAX_AUTHORIZE_SECONDS: '1',
        GITMOUTH_MAX_PROVISION_SECONDS: '2',
        GITMOUTH_MAX_CONNECT_SECONDS: '3',
        GITMOUTH_MAX_FIRST_BYTE_SECONDS: '4',
        GITMOUTH_MAX_SESSION_SECONDS: '0',
        GITMOUTH_STALL_PAUSE_SECONDS: '5',
        GITMOUTH_STALL_SECONDS: '6',
        GITMOUTH_SILENCE_NOTICE_SECONDS: '7',
      },
    );
    expect(config.limits).toEqual({
      drainMs: 7_000,
      lockWaitMs: 0,
      terminateGraceMs: 2_000,
      lookupCacheMs: 0,
      authorizeMs: 1_000,
      provisionMs: 2_000,
      connectMs: 3_000,
      firstByteMs: 4_000,
      sessionMs: 0,
      stallPauseMs: 5_000,
      stallEndMs: 6_000,
      silenceNoticeMs: 7_000,
    });
    expect(config.dynoLimits).toEqual({
      memoryBytes: 67_108_864,
      fileBytes: 16_777_216,
      cpuSeconds: 10,
      processes: 16,
    });
    expect(config.maxPackBytes).toBe(1_048_576);
  });

  test.each([
    ['127.0.0.1:22', [{ host: '127.0.0.1', port: 22 }]],
    ['[::]:22', [{ host: '::', port: 22 }]],
    ['[2001:db8::1]:2222', [{ host: '2001:db8::1', port: 2222 }]],
    ['[::ffff:192.0.2.1]:2222', [{ host: '::ffff:192.0.2.1', port: 2222 }]],
    ['localhost:0', [{ host: 'localhost', port: 0 }]],
    ['git.example.com:65535', [{ host: 'git.example.com', port: 65535 }]],
    [
      '0.0.0.0:22, [::]:22,0.0.0.0:443',
      [
        { host: '0.0.0.0', port: 22 },
        { host: '::', port: 22 },
        { host: '0.0.0.0', port: 443 },
      ],
    ],
    [
      '127.0.0.1:0,127.0.0.1:0',
      [
        { host: '127.0.0.1', port: 0 },
        { host: '127.0.0.1', port: 0 },
      ],
    ],
  ])('GITMOUTH_LISTEN=%s is read', (text, listen) => {
    expect(readConfig({}, { GITMOUTH_LISTEN: text }).listen).toEqual(listen);
  });

  test.each([
    ['GITMOUTH_LISTEN', '::1:22'],
    ['GITMOUTH_LISTEN', '127.0.0.1'],
    ['GITMOUTH_LISTEN', '2222'],
    ['GITMOUTH_LISTEN', 'localhost:65536'],
    ['GITMOUTH_LISTEN', 'local host:22'],
    ['GITMOUTH_LISTEN', '127.0.0.1:22,'],
    ['GITMOUTH_LISTEN', '127.0.0.1:22;127.0.0.1:23'],
    ['GITMOUTH_DYNO_USER', '0'],
    ['GITMOUTH_DYNO_USER', 'nobody'],
    ['GITMOUTH_DYNO_USER', '1:2:3'],
    ['GITMOUTH_DYNO_NETWORK', 'yes'],
    ['GITMOUTH_ALGORITHMS', 'legacy'],
    ['GITMOUTH_SANDBOX', 'docker'],
    ['GITMOUTH_LOGIN_NAME', 'git user'],
    ['GITMOUTH_DRAIN_SECONDS', '-1'],
    ['GITMOUTH_DRAIN_SECONDS', '1.5'],
    ['GITMOUTH_DRAIN_SECONDS', '5m'],
    ['GITMOUTH_DRAIN_SECONDS', '86401'],
    ['GITMOUTH_DYNO_MEMORY_MIB', '63'],
    ['GITMOUTH_MAX_PACK_MIB', '0'],
    ['GITMOUTH_ADAPTERS', './a.js,'],
    ['GITMOUTH_ADAPTERS', './a.js, ./a.js'],
    ['GITMOUTH_ADAPTERS', '~/a.js'],
    ['GITMOUTH_ADAPTERS', '@acme'],
    ['GITMOUTH_ADAPTERS', 'node:fs'],
    ['GITMOUTH_LOG', 'xml'],
    ['GITMOUTH_LOG_LEVEL', 'trace'],
  ])('%s=%s is a problem that names it, what it must be, and what it is', (name, text) => {
    const problems = problemsOf({ [name]: text });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} must be .+; it is '`));
    expect(problems[0]?.endsWith(`; it is '${text}'`)).toBe(true);
  });

  test('that must be there may not be empty, and one that may be unset may', () => {
    expect(problemsOf({ GITMOUTH_DATA: '' })).toEqual(['GITMOUTH_DATA must not be empty']);
    expect(problemsOf({ GITMOUTH_HOOKS: '', GITMOUTH_LOGIN_NAME: '' })).toEqual([]);
  });

  test('of adapters is a list of paths and packages', () => {
    const names = ['./my-adapter.js', '../up.mjs', '/srv/a b.js', 'gitmouth-x', '@acme/gitmouth-x', '@acme/x/keys.js'];
    expect(readConfig({}, { GITMOUTH_ADAPTERS: names.join(', ') }).adapters).toEqual(names);
    expect(readConfig({}, { GITMOUTH_ADAPTERS: '' }).adapters).toEqual([]);
  });

  test('of the command line goes before that of the environment', () => {
    const config = readConfig({ GITMOUTH_DATA: '/srv/given' }, { GITMOUTH_DATA: '/srv/set', GITMOUTH_LOG: 'json' });
    expect(config).toMatchObject({ dataFolder: '/srv/given', log: { format: 'json' } });
  });

  test('may be a user id with a group of its own', () => {
    expect(readConfig({}, { GITMOUTH_DYNO_USER: '1000' }).dynoUser).toEqual({ uid: 1000, gid: 1000 });
    expect(readConfig({}, { GITMOUTH_DYNO_USER: '1000:50' }).dynoUser).toEqual({ uid: 1000, gid: 50 });
  });

  test('that only the tests read is none, and no problem', () => {
    expect(problemsOf({ GITMOUTH_REQUIRE_ALL: '1', PATH: '/bin' })).toEqual([]);
  });
});

describe('problems of a configuration', () => {
  test('come all at once, in one message', () => {
    const environment = {
      GITMOUTH_LISTEN: 'nowhere',
      GITMOUTH_DRAIN_SECONDS: 'soon',
      GITMOUTH_LOG: '',
      GITMOUTH_DRAIN_SECOND: '3',
    };
    expect(() => readConfig({}, environment)).toThrow(
      new ConfigError([
        'GITMOUTH_DRAIN_SECOND is not a setting of gitmouth: check its name',
        "GITMOUTH_LISTEN must be HOST:PORT, such as 127.0.0.1:2222 or [::]:22, or several with commas between; it is 'nowhere'",
        "GITMOUTH_DRAIN_SECONDS must be a whole number from 0 to 86400; it is 'soon'",
        'GITMOUTH_LOG must not be empty',
      ]),
    );
    const [first, ...lines] = new ConfigError(['a', 'b']).message.split('\n');
    expect(first).toBe('The configuration has 2 problems:');
    expect(lines).toEqual(['  - a', '  - b']);
  });

  test('hold no control character of a name or a value', () => {
    const problems = problemsOf({ GITMOUTH_LOG: '\u001b[2Jred\u202e', 'GITMOUTH_\u0007BELL': '1' });
    expect(problems).toEqual([
      'GITMOUTH_\\u0007BELL is not a setting of gitmouth: check its name',
      "GITMOUTH_LOG must be auto, json or text; it is '\\u001b[2Jred\\u202e'",
    ]);
  });
});

describe('what is written about the settings', () => {
  const expected = settings.map(({ name, defaultText, sentence }) => ({ name, default: defaultText, sentence }));

  test('in the README’s tables is every setting, its default and its sentence', () => {
    expect(settings.length).toBeGreaterThan(45);
    expect(tableOf(readFileSync(join(ROOT, 'README.md'), 'utf8'))).toEqual(expected);
  });

  test('in .env.example is every setting, commented out, with its sentence and its default', () => {
    const text = readFileSync(join(ROOT, '.env.example'), 'utf8');
    const found = [...text.matchAll(/^# (.+)\n#([A-Z_]+)=(.*)$/gm)].map(([, sentence, name, value]) => ({
      name,
      default: value,
      sentence,
    }));
    expect(found).toEqual(expected);
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
  });

  test('each default is one that the setting takes', () => {
    const environment = Object.fromEntries(settings.map(({ name, defaultText }) => [name, defaultText]));
    expect(readConfig({}, environment)).toEqual(readConfig({}, {}));
  });
});

/** Rows of the tables under "Settings" whose three cells are a setting, its default (none: a dash) and a sentence. */
function tableOf(markdown: string) {
  const [, section = ''] = markdown.split('\n## Settings\n');
  return (section.split('\n## ')[0] ?? '')
    .split('\n')
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .filter(([, name]) => /^`[A-Z_]+`$/.test(name ?? ''))
    .map(([, name, value, sentence]) => ({
      name: unquoted(name),
      default: value === '–' ? '' : unquoted(value),
      sentence,
    }));
}

function unquoted(cell: string | undefined): string | undefined {
  return cell?.replace(/^`(.*)`$/, '$1');
}
