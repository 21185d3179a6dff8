import { describe, expect, test } from '@jest/globals';
import type { GitService } from '../../src/domain/git-request.js';
import type { Grant } from '../../src/domain/grant.js';
import { isSameBinding, listWithinBinding, withinBinding, type KeyBinding } from '../../src/domain/key-binding.js';
import type { Refusal } from '../../src/domain/refusal.js';

const grantOf = (app: string, access: 'read' | 'write'): Grant => ({ app, access, lockMode: 'wait', creates: false });

function answered(binding: KeyBinding | undefined, service: GitService, app: string, answer: Grant | Refusal) {
  const user = { name: 'alice', ...(binding === undefined ? {} : { binding }) };
  return withinBinding(user, { service, app, protocol: 2 }, answer);
}

const PUSH = 'git-receive-pack';
const FETCH = 'git-upload-pack';
const WRITE = grantOf('shop', 'write');
const READ = grantOf('shop', 'read');
const NO_ACCESS = { kind: 'no-access', app: 'shop', service: FETCH } as const;
const RENAMED = { kind: 'platform', reason: 'renamed', text: 'It is called wiki now.' } as const;
const ARCHIVE_OFF = { kind: 'archive-off', app: 'shop' } as const;
const KEY_REMOVED = { kind: 'key-removed' } as const;
const MAINTENANCE = { kind: 'platform', reason: 'maintenance', text: 'Later.' } as const;

describe('what a key is good for', () => {
  test.each<[string, KeyBinding | undefined, GitService, string, Grant | Refusal, Grant | Refusal]>([
    ['an unbound key: all the user may', undefined, PUSH, 'shop', WRITE, WRITE],
    ['an empty binding: all the user may', {}, PUSH, 'shop', WRITE, WRITE],
    ['a key of the app pushes', { apps: ['shop'] }, PUSH, 'shop', WRITE, WRITE],
    ['a key of the app to write pushes', { apps: ['shop'], access: 'write' }, PUSH, 'shop', WRITE, WRITE],
    ['a key to read fetches', { access: 'read' }, FETCH, 'shop', READ, READ],
    ['a key to read gets no writable dyno', { access: 'read' }, FETCH, 'shop', WRITE, { ...WRITE, access: 'read' }],
    ['a key to read never pushes', { access: 'read' }, PUSH, 'shop', WRITE, bound('read')],
    ['a key of another app opens nothing here', { apps: ['blog'] }, FETCH, 'shop', READ, bound('apps')],
    ['a key of no app opens nothing', { apps: [] }, FETCH, 'shop', READ, bound('apps')],
    ['a key of the app by its own name, asked by an old one', { apps: ['store'] }, FETCH, 'shop', rename(), rename()],
    ['a key of the old name alone, once renamed', { apps: ['shop'] }, FETCH, 'shop', rename(), bound('apps')],
    [
      'what the platform refuses reads as what the key does not open',
      { apps: ['blog'] },
      FETCH,
      'shop',
      NO_ACCESS,
      bound('apps'),
    ],
    ['a refusal for an app of the key stands', { apps: ['shop'] }, FETCH, 'shop', NO_ACCESS, NO_ACCESS],
    ['a maintenance is told', { apps: ['blog'] }, FETCH, 'shop', MAINTENANCE, MAINTENANCE],
    ['a removed key is told', { apps: ['blog'] }, FETCH, 'shop', KEY_REMOVED, KEY_REMOVED],
    ['no archives tell of no app', { apps: ['blog'] }, 'git-upload-archive', 'shop', ARCHIVE_OFF, bound('apps')],
    ['nor does a new name', { apps: ['blog'] }, FETCH, 'shop', RENAMED, bound('apps')],
    ['no archives of an app of the key', { apps: ['shop'] }, 'git-upload-archive', 'shop', ARCHIVE_OFF, ARCHIVE_OFF],
  ])('%s', (_, binding, service, app, answer, expected) => {
    expect(answered(binding, service, app, answer)).toEqual(expected);
  });
});

describe('of the apps of a user a key lists those it opens, and how far', () => {
  const APPS = [
    { app: 'blog', access: 'write' },
    { app: 'shop', access: 'read' },
  ] as const;
  test.each<[string, KeyBinding | undefined, readonly object[]]>([
    ['an unbound key: all of them', undefined, APPS],
    ['a key of one app: that one', { apps: ['blog'] }, [APPS[0]]],
    ["a key of an app that is not the user's: none", { apps: ['wiki'] }, []],
    ['a key to read: all of them, to read', { access: 'read' }, [{ app: 'blog', access: 'read' }, APPS[1]]],
    ['a key to write widens nothing', { access: 'write' }, APPS],
  ])('%s', (_, binding, expected) => {
    const user = { name: 'alice', ...(binding === undefined ? {} : { binding }) };
    expect(listWithinBinding(user, APPS)).toEqual(expected);
  });
});

function bound(to: 'apps' | 'read'): Refusal {
  return { kind: 'key-bound', app: 'shop', to };
}

function rename(): Grant {
  return grantOf('store', 'read');
}

describe('two bindings', () => {
  test.each<[KeyBinding | undefined, KeyBinding | undefined, boolean]>([
    [undefined, undefined, true],
    [undefined, {}, true],
    [{}, { access: 'write' }, true],
    [{ apps: ['a', 'b'] }, { apps: ['b', 'a'] }, true],
    [undefined, { apps: [] }, false],
    [undefined, { access: 'read' }, false],
    [{ apps: ['a'] }, { apps: ['a', 'b'] }, false],
    [{ apps: ['a'] }, { apps: ['a'], access: 'read' }, false],
  ])('%j and %j open the same: %s', (one, other, expected) => {
    expect(isSameBinding(one, other)).toBe(expected);
    expect(isSameBinding(other, one)).toBe(expected);
  });
});
