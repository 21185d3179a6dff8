import { describe, expect, test } from '@jest/globals';
import { decideAccess, type AppFacts, type CreationRule } from '../../src/domain/access-policy.js';
import type { GitService } from '../../src/domain/git-request.js';
import { isRefusal } from '../../src/domain/refusal.js';

const NO_CREATION: CreationRule = { onPush: false, limit: 3 };
const CREATION: CreationRule = { onPush: true, limit: 3 };
const USER = { name: 'alice' };

const app = { name: 'shop', owner: 'bob', archive: false } as const;

/** What alice may know of the app, by what she is to it. */
const STANDING = {
  owner: { ...app, owner: 'alice' },
  'owner, archives on': { ...app, owner: 'alice', archive: true },
  writer: { ...app, shared: 'write' },
  'writer, archives on': { ...app, shared: 'write', archive: true },
  reader: { ...app, shared: 'read' },
  'reader, archives on': { ...app, shared: 'read', archive: true },
  stranger: app,
  'stranger, archives on': { ...app, archive: true },
  'owner, shared reading with herself': { ...app, owner: 'alice', shared: 'read' },
  'no such app': undefined,
} satisfies Record<string, AppFacts | undefined>;

const PUSH = 'git-receive-pack';
const FETCH = 'git-upload-pack';
const ARCHIVE = 'git-upload-archive';

function decide(service: GitService, facts: AppFacts | undefined, creation: CreationRule, owned = 0, name = 'shop') {
  return decideAccess(USER, { service, app: name, protocol: 2 }, facts, creation, owned);
}

function word(...asked: Parameters<typeof decide>): string {
  const answer = decide(...asked);
  if (isRefusal(answer)) return answer.kind;
  return answer.creates ? `create ${answer.access}` : answer.access;
}

describe('may alice, on this app? push, fetch, archive:', () => {
  test.each([
    ['owner', 'write', 'read', 'archive-off'],
    ['owner, archives on', 'write', 'read', 'read'],
    ['writer', 'write', 'read', 'archive-off'],
    ['writer, archives on', 'write', 'read', 'read'],
    ['reader', 'no-access', 'read', 'archive-off'],
    ['reader, archives on', 'no-access', 'read', 'read'],
    ['stranger', 'no-access', 'no-access', 'no-access'],
    ['stranger, archives on', 'no-access', 'no-access', 'no-access'],
    ['owner, shared reading with herself', 'write', 'read', 'archive-off'],
    ['no such app', 'no-access', 'no-access', 'no-access'],
  ] as const)('%s: %s, %s, %s', (standing, push, fetch, archive) => {
    const facts = STANDING[standing];
    const answers = ([PUSH, FETCH, ARCHIVE] as const).map((service) => word(service, facts, NO_CREATION));
    expect(answers).toEqual([push, fetch, archive]);
  });

  test.each(Object.entries(STANDING).filter(([, facts]) => facts !== undefined))(
    '%s: the same while pushes create apps, however many alice owns',
    (_, facts) => {
      for (const service of [PUSH, FETCH, ARCHIVE] as const) {
        expect(decide(service, facts, CREATION, 99)).toEqual(decide(service, facts, NO_CREATION));
      }
    },
  );

  test.each([
    [0, 'create write'],
    [2, 'create write'],
    [3, 'too-many-apps'],
    [4, 'too-many-apps'],
  ])('no such app, pushes create, alice owns %i of 3: %s, and still no reading', (owned, push) => {
    expect(word(PUSH, undefined, CREATION, owned)).toBe(push);
    expect(word(FETCH, undefined, CREATION, owned)).toBe('no-access');
    expect(word(ARCHIVE, undefined, CREATION, owned)).toBe('no-access');
  });

  test('a limit of none creates none', () => {
    expect(word(PUSH, undefined, { onPush: true, limit: 0 })).toBe('too-many-apps');
  });

  test('a new app does not take a name in upper case, and a name is looked at before the share', () => {
    expect(decide(PUSH, undefined, CREATION, 99, 'Shop')).toEqual({ kind: 'invalid-app-name', app: 'Shop' });
    expect(word(PUSH, undefined, NO_CREATION, 0, 'Shop')).toBe('no-access');
  });
});

describe('the answers', () => {
  test.each([PUSH, FETCH, ARCHIVE] as const)('%s: an unknown and a forbidden app read the same', (service) => {
    const refusal = { kind: 'no-access', app: 'shop', service };
    expect(decide(service, undefined, NO_CREATION)).toEqual(refusal);
    expect(decide(service, STANDING.stranger, NO_CREATION)).toEqual(refusal);
  });

  test('a grant says what it grants in full, and nothing of who owns the app', () => {
    expect(decide(PUSH, { ...STANDING.owner, branch: 'main' }, CREATION)).toEqual({
      app: 'shop',
      access: 'write',
      creates: false,
      branch: 'main',
    });
    expect(decide(FETCH, STANDING.reader, CREATION)).toEqual({
      app: 'shop',
      access: 'read',
      creates: false,
    });
    expect(decide(PUSH, undefined, CREATION)).toEqual({
      app: 'shop',
      access: 'write',
      creates: true,
    });
  });

  test("the app's own name is granted, whatever name it was asked for by", () => {
    expect(decide(FETCH, STANDING.owner, NO_CREATION, 0, 'SHOP')).toMatchObject({ app: 'shop' });
  });

  test('a refusal of one app too many names the limit', () => {
    expect(decide(PUSH, undefined, CREATION, 3)).toEqual({ kind: 'too-many-apps', app: 'shop', limit: 3 });
  });
});
