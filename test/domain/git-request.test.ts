import { describe, expect, test } from '@jest/globals';
import { isWrite, MAX_COMMAND_LENGTH, parseGitCommand, parseGitProtocol } from '../../src/domain/git-request.js';

describe('the command of an exec request', () => {
  const services = ['upload-pack', 'receive-pack', 'upload-archive'] as const;
  const verbs = services.flatMap((service) => [
    [`git-${service}`, `git-${service}`] as const,
    [`git ${service}`, `git-${service}`] as const,
  ]);
  const paths = ['shop', 'shop.git', '/shop', '/shop.git', '~/shop', '~/shop.git'];
  const forms = paths.flatMap((path) => [path, `'${path}'`]);
  const accepted = verbs.flatMap(([verb, service]) => forms.map((form) => [`${verb} ${form}`, service] as const));

  test.each(accepted)('%s is taken', (command, service) => {
    expect(parseGitCommand(command)).toEqual({ service, app: 'shop' });
  });

  test.each([
    ["git-upload-pack 'Shop-1_x@y.git'", 'Shop-1_x@y'],
    [`git-upload-pack '${'a'.repeat(63)}.git'`, 'a'.repeat(63)],
    ['git-upload-pack 0', '0'],
    ['git-upload-pack git', 'git'],
  ])('%s names the app %s', (command, app) => {
    expect(parseGitCommand(command)).toEqual({ service: 'git-upload-pack', app });
  });

  /** Right verbs with something that is no app: options, other folders, other commands, other alphabets. */
  const badPaths = [
    '',
    ' ',
    "''",
    '"shop"',
    "'shop",
    "shop'",
    "'sh'op'",
    "''shop''",
    "'shop''shop'",
    String.raw`'sh'\''op'`,
    String.raw`'\''`,
    String.raw`shop\ `,
    String.raw`sh\op`,
    '-x',
    "'-x'",
    '--upload-pack=x',
    "'--upload-pack=touch /tmp/x'",
    '--exec=x shop',
    '--strict shop',
    '-- shop',
    '../shop',
    "'../shop.git'",
    '..',
    '.',
    '...git',
    'shop/..',
    'shop/../other',
    './shop',
    'a/b',
    "'a/b.git'",
    '/a/b',
    '//shop',
    '~//shop',
    '/~/shop',
    '~shop',
    '~root/shop',
    '~',
    '/',
    '~/',
    '.git',
    '/.git',
    'shop.git.git',
    'shop.git/',
    'shop/',
    'shop.GIT',
    'shop.',
    '.shop',
    '_shop',
    '@shop',
    'sh.op',
    'sh op',
    "'sh op'",
    'shop other',
    'shop ',
    "'shop' ",
    "'shop'\n",
    'shop\n',
    'shop\r',
    "'shop\n'",
    "'sh\nop'",
    "'shop\u0000'",
    'shop\u0000',
    '\u0000shop',
    "'shop\u0000.git'",
    '\tshop',
    'shop\t',
    ' shop',
    " 'shop'",
    'shop;id',
    "'shop;id'",
    'shop&&id',
    'shop|id',
    'shop>x',
    'shop<x',
    '`id`',
    "'`id`'",
    '$(id)',
    "'$(id)'",
    '$HOME',
    '${IFS}shop',
    'shop*',
    'sh?op',
    '[s]hop',
    '{shop,other}',
    '!shop',
    '#shop',
    'shop%00',
    '%2e%2e',
    'C:\\shop',
    'ssh://host/shop',
    'ſhop',
    'ѕhop',
    'shоp',
    'ｓｈｏｐ',
    'shop\u200b',
    'shop\u202egit',
    'sh\u0301op',
    'ßhop',
    '．．／shop',
    'a'.repeat(64),
    `'${'a'.repeat(64)}.git'`,
  ];

  test.each(badPaths)('git-upload-pack %j names no app', (path) => {
    const command = `git-upload-pack ${path}`;
    expect(parseGitCommand(command)).toEqual({ kind: 'invalid-path', command });
  });

  test.each(['git-receive-pack', 'git upload-archive', 'git-upload-pack\tshop', 'git-upload-pack\nshop'])(
    '%j has a verb of git and no app',
    (command) => {
      expect(parseGitCommand(command)).toEqual({ kind: 'invalid-path', command });
    },
  );

  test.each([
    '',
    ' ',
    'id',
    'sh',
    'git',
    'git ',
    'git shop',
    'git-shell',
    'git clone shop',
    'git config -l',
    'git-upload-packs shop',
    'git-upload-pack-x shop',
    'git_upload-pack shop',
    'git--upload-pack shop',
    'git  upload-pack shop',
    'git\tupload-pack shop',
    'git\nupload-pack shop',
    'gitupload-pack shop',
    'upload-pack shop',
    ' git-upload-pack shop',
    '\ngit-upload-pack shop',
    'GIT-UPLOAD-PACK shop',
    'Git-Upload-Pack shop',
    'git-Receive-Pack shop',
    '/usr/bin/git-upload-pack shop',
    './git-upload-pack shop',
    "'git-upload-pack' shop",
    "git-upload-pack'shop'",
    'git-upload-pack;id',
    'git -c core.sshCommand=id upload-pack shop',
    'env git-upload-pack shop',
    'GIT_TRACE=1 git-upload-pack shop',
    'ɡit-upload-pack shop',
    'git‐upload‐pack shop',
    'git-upload-pack\u0000 shop',
    'scp -t shop',
    'rsync --server . shop',
    'git-lfs',
    'git-lfs-authenticated shop',
    'git-lfs-authenticate\nshop',
  ])('%j is no command of git', (command) => {
    expect(parseGitCommand(command)).toEqual({ kind: 'invalid-command', command });
  });

  test.each([
    'git-lfs-authenticate shop.git download',
    'git-lfs-authenticate shop.git upload',
    'git-lfs-transfer shop.git upload',
    'git lfs-authenticate shop.git download',
    'git-lfs-authenticate',
  ])('%s is known as a command of LFS', (command) => {
    expect(parseGitCommand(command)).toEqual({ kind: 'lfs' });
  });

  test('is not looked at when it is longer than 256, however it begins', () => {
    const command = `git-upload-pack '${'a'.repeat(MAX_COMMAND_LENGTH)}`;
    const longest = command.slice(0, MAX_COMMAND_LENGTH);
    expect(MAX_COMMAND_LENGTH).toBe(256);
    expect(parseGitCommand(longest)).toEqual({ kind: 'invalid-path', command: longest });
    const longer = command.slice(0, MAX_COMMAND_LENGTH + 1);
    expect(parseGitCommand(longer)).toEqual({ kind: 'invalid-command', command: longer });
    const lfs = `git-lfs-authenticate ${'a'.repeat(MAX_COMMAND_LENGTH)}`;
    expect(parseGitCommand(lfs)).toEqual({ kind: 'invalid-command', command: lfs });
  });
});

describe('GIT_PROTOCOL', () => {
  test.each([
    ['version=0', 0],
    ['version=1', 1],
    ['version=2', 2],
  ] as const)('%s asks for version %i', (value, version) => {
    expect(parseGitProtocol(value)).toBe(version);
  });

  test.each([
    '',
    '2',
    'version=',
    'version=3',
    'version=-1',
    'version=02',
    'version=20',
    'version=2 ',
    ' version=2',
    'version=2\n',
    'version=2\u0000',
    'version=2:version=1',
    'version=2:side-band',
    'VERSION=2',
    'version=２',
    'version=2;id',
    'version=$(id)',
  ])('%j is none that git sends', (value) => {
    expect(parseGitProtocol(value)).toBeUndefined();
  });
});

test('of the three services receive-pack alone writes', () => {
  expect(isWrite('git-receive-pack')).toBe(true);
  expect(isWrite('git-upload-pack')).toBe(false);
  expect(isWrite('git-upload-archive')).toBe(false);
});
