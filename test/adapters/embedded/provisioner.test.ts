import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDatabase } from '../../../src/adapters/embedded/database.js';
import { EmbeddedPlatform } from '../../../src/adapters/embedded/platform.js';
import { EmbeddedProvisioner } from '../../../src/adapters/embedded/embedded-provisioner.js';
import type { JobResult, RunInRepository } from '../../../src/adapters/embedded/repository-run.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import type { Grant } from '../../../src/domain/grant.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import type { Lease } from '../../../src/ports/repository-locks.js';
import { never, until } from '../../contracts/contract.js';
import { provisionerContract, type Order } from '../../contracts/provisioner.js';
import { sampleCaller, sampleKey, sampleSession } from '../../contracts/samples.js';
import { runContract } from '../../support/contract.js';
import { git, openHouse, owner, register, sampleWork, type House } from './house.js';
import { unsandboxed } from './run-unsandboxed.js';

const LIMIT = 3;

function provisionerOf(house: House, limit = LIMIT): EmbeddedProvisioner {
  return new EmbeddedProvisioner(house.platform.apps, house.repositories, house.keeper, limit);
}

function grantOf(app: string, access: 'read' | 'write', creates = false): Grant {
  return { app, access, lockMode: 'wait', creates };
}

function orderOf(user: string, grant: Grant, lease?: Lease): Order {
  const service = grant.access === 'write' ? 'git-receive-pack' : 'git-upload-pack';
  return { grant, lease, session: sampleSession(sampleCaller(user), service, grant.app) };
}

async function leaseOn({ locks }: House, app: string, user = 'alice'): Promise<Lease> {
  const holder = { user, session: `s-${user}`, since: 0 };
  const lease = await locks.acquire(app, holder, 'wait', 60_000, () => undefined, never());
  if (isRefusal(lease)) throw new Error('busy');
  return lease;
}

/** What is unfinished: provisional apps in the database, folders in the making or on their way out. */
async function unfinished(house: House): Promise<readonly string[]> {
  const db = openDatabase(house.file);
  try {
    const provisional = new EmbeddedPlatform(db).apps.provisional();
    return [...provisional, ...(await house.repositories.leftovers()).map((app) => `files of ${app}`)];
  } finally {
    db.close();
  }
}

for (const creates of [false, true]) {
  runContract(
    `the embedded provisioner, for apps that ${creates ? 'a push creates' : 'exist'}`,
    provisionerContract(async () => {
      let run = unsandboxed(owner);
      const house = openHouse((job, signal) => run(job, signal));
      const leases: Lease[] = [];
      register(house, 'alice', sampleKey());
      let count = 0;
      return {
        provisioner: provisionerOf(house, 100),
        async order(access) {
          const app = `app${(count += 1)}`;
          const isNew = creates && access === 'write';
          if (!isNew) await house.keeper.create(app, 'alice');
          const lease = access === 'write' ? await leaseOn(house, app) : undefined;
          if (lease !== undefined) leases.push(lease);
          return orderOf('alice', grantOf(app, access, isNew), lease);
        },
        held: () => unfinished(house),
        breakDown: async () => house.close(),
        stall: async () => {
          run = stalled;
        },
        breakRelease: async () => {
          run = async () => ({ code: 1, stdout: '', stderr: 'no sandbox today' });
        },
        async close() {
          await Promise.all(leases.map((lease) => lease.release()));
          house.close();
        },
      };
    }),
  );
}

const stalled: RunInRepository = (_job, signal) =>
  new Promise<JobResult>((_resolve, reject) => {
    if (signal?.aborted === true) reject(signal.reason as Error);
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

let house: House;
let provisioner: EmbeddedProvisioner;

beforeEach(() => {
  house = openHouse();
  provisioner = provisionerOf(house);
  for (const user of ['alice', 'bob']) register(house, user, sampleKey());
});

afterEach(() => {
  house.close();
});

function provision(user: string, grant: Grant, lease?: Lease) {
  const order = orderOf(user, grant, lease);
  return provisioner.provision(order.grant, order.lease, order.session, never());
}

/** Provisions as a writer with a lock, and gives dyno and lease. */
async function open(user: string, app: string, creates: boolean): Promise<{ dyno: Dyno; lease: Lease }> {
  const lease = await leaseOn(house, app, user);
  const dyno = await provision(user, grantOf(app, 'write', creates), lease);
  if (isRefusal(dyno)) throw new Error(`refused: ${dyno.kind}`);
  return { dyno, lease };
}

async function finish({ dyno, lease }: { dyno: Dyno; lease: Lease }): Promise<void> {
  await provisioner.release(dyno, { kind: 'ran', exit: { kind: 'code', code: 0 } });
  await lease.release();
}

function push(app: string, branch: string): void {
  git(sampleWork(branch), 'push', '--quiet', house.repositories.path(app), branch);
}

/** As the dispatcher of hooks does for the first branch of an app. */
function pointHead(app: string, branch: string): void {
  git(house.repositories.path(app), 'symbolic-ref', 'HEAD', `refs/heads/${branch}`);
}

describe('a push that creates an app', () => {
  test('makes app, owner and repository, and the first branch is the deployed one', async () => {
    const session = await open('alice', 'shop', true);
    expect(session.dyno.link).toMatchObject({
      kind: 'process',
      repository: join(house.folder, 'repositories/shop.git'),
      plan: {
        service: 'git-receive-pack',
        access: 'write',
        environment: { GITMOUTH_USER: 'alice', GITMOUTH_APP: 'shop' },
      },
    });
    push('shop', 'trunk');
    pointHead('shop', 'trunk');
    await finish(session);
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'alice', branch: 'trunk', provisional: false });
  });

  test('stays an app without a deployed branch when only tags were pushed', async () => {
    const session = await open('alice', 'shop', true);
    const work = sampleWork();
    git(work, 'push', '--quiet', house.repositories.path('shop'), 'main:refs/tags/v1');
    await finish(session);
    expect(house.platform.apps.get('shop')).toMatchObject({ provisional: false });
    expect(house.platform.apps.get('shop')?.branch).toBeUndefined();
  });

  test('leaves neither app nor repository when nothing was pushed', async () => {
    await finish(await open('alice', 'shop', true));
    expect(house.platform.apps.get('shop')).toBeUndefined();
    expect(readdirSync(join(house.folder, 'repositories'))).toEqual([]);
  });

  test('may be spoilt by its own hook without being taken for one that pushed nothing', async () => {
    const session = await open('alice', 'shop', true);
    push('shop', 'main');
    git(house.repositories.path('shop'), 'config', 'core.repositoryformatversion', '99');
    await finish(session);
    expect(house.platform.apps.get('shop')).toMatchObject({ branch: 'main', provisional: false });
  });

  test('is settled by the next one when its lease was lost, not by itself', async () => {
    const session = await open('alice', 'shop', true);
    house.db.prepare('DELETE FROM leases').run();
    await house.clock.advance(30_000);
    expect(session.lease.lost.aborted).toBe(true);
    await finish(session);
    expect(house.platform.apps.provisional()).toEqual(['shop']);
    await finish(await open('alice', 'shop', true));
    expect(house.platform.apps.get('shop')).toBeUndefined();
  });

  test('passes no limit, however many were authorized at the same time', async () => {
    const sessions = await Promise.all(['one', 'two', 'three'].map((app) => open('alice', app, true)));
    const lease = await leaseOn(house, 'four');
    const answer = await provision('alice', grantOf('four', 'write', true), lease);
    expect(answer).toEqual({ kind: 'too-many-apps', app: 'four', limit: LIMIT });
    expect(house.platform.apps.get('four')).toBeUndefined();
    await Promise.all([lease.release(), ...sessions.map(finish)]);
  });

  test('by a user who was removed meanwhile is refused', async () => {
    house.platform.users.remove('alice');
    expect(await provision('alice', grantOf('shop', 'write', true))).toEqual({ kind: 'key-removed' });
  });

  // Both were authorized while there was no such app.
  test('of one name by two users gives it to the first; the second learns no more than of any foreign app', async () => {
    const first = await open('alice', 'shop', true);
    const second = leaseOn(house, 'shop', 'bob');
    push('shop', 'main');
    pointHead('shop', 'main');
    await finish(first);
    const lease = await advancing(second);
    expect(await provision('bob', grantOf('shop', 'write', true), lease)).toEqual({
      kind: 'no-access',
      app: 'shop',
      service: 'git-receive-pack',
    });
    await lease.release();
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'alice', branch: 'main' });
  });

  test('of one name by two users gives it to the second when the first pushed nothing', async () => {
    const first = await open('alice', 'shop', true);
    const second = leaseOn(house, 'shop', 'bob');
    await finish(first);
    const lease = await advancing(second);
    const dyno = await provision('bob', grantOf('shop', 'write', true), lease);
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'bob', provisional: true });
    if (!isRefusal(dyno)) await finish({ dyno, lease });
  });

  test('does not give its user a repository that lies there without an app', async () => {
    await house.repositories.create('shop');
    push('shop', 'main');
    await expect(provision('alice', grantOf('shop', 'write', true))).rejects.toMatchObject({
      code: 'GM_REPOSITORY',
      stage: 'provision',
    });
    expect(house.platform.apps.get('shop')).toBeUndefined();
    expect(await house.repositories.hasRefs('shop')).toBe(true);
  });
});

async function advancing<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  void promise.finally(() => (over = true));
  await until(
    () => over,
    'the lock is given',
    (ms) => house.clock.advance(ms),
  );
  return promise;
}

describe('a session on an app that exists', () => {
  beforeEach(async () => {
    await house.keeper.create('shop', 'alice');
  });

  test('is told the branch as it is now, not as it was when the wait for the lock began', async () => {
    push('shop', 'main');
    house.platform.apps.setBranch('shop', 'main');
    const dyno = await provision('alice', { ...grantOf('shop', 'read'), branch: 'old' });
    expect(dyno).toMatchObject({ link: { plan: { environment: { GITMOUTH_BRANCH: 'main' } } } });
  });

  // While the push waited for the lock, the app was destroyed and its name taken by somebody else.
  test('does not reach the app of another that has the name by now', async () => {
    house.platform.apps.setOwner('shop', 'bob');
    for (const access of ['read', 'write'] as const) {
      expect(await provision('alice', grantOf('shop', access))).toMatchObject({ kind: 'no-access' });
    }
    house.platform.apps.share('shop', 'alice', 'read');
    expect(await provision('alice', grantOf('shop', 'write'))).toMatchObject({ kind: 'no-access' });
    expect(isRefusal(await provision('alice', grantOf('shop', 'read')))).toBe(false);
    await house.keeper.destroy('shop');
    expect(await provision('bob', grantOf('shop', 'write'))).toMatchObject({ kind: 'no-access' });
  });

  test('is a fault, and makes nothing, when the repository is gone', async () => {
    await house.repositories.retire('shop');
    await house.repositories.sweep('shop');
    await expect(provision('alice', grantOf('shop', 'write'))).rejects.toMatchObject({ code: 'GM_REPOSITORY' });
    expect(await house.repositories.exists('shop')).toBe(false);
  });
});

describe('the keeper', () => {
  test('makes an app of a repository, deployed branch and all', async () => {
    await house.keeper.create('shop', 'alice', sampleWork('trunk'));
    expect(house.platform.apps.get('shop')).toMatchObject({ owner: 'alice', branch: 'trunk', provisional: false });
    expect(await house.repositories.hasRefs('shop')).toBe(true);
  });

  test('makes no app of what can not be imported, or of a name that is taken', async () => {
    await expect(house.keeper.create('shop', 'alice', '/nowhere')).rejects.toMatchObject({ code: 'import-failed' });
    expect(house.platform.apps.list()).toEqual([]);
    await house.keeper.create('shop', 'alice');
    await expect(house.keeper.create('shop', 'bob')).rejects.toMatchObject({ code: 'app-exists' });
    await house.repositories.create('stray');
    await expect(house.keeper.create('stray', 'bob')).rejects.toMatchObject({ code: 'repository-exists' });
    expect(house.platform.apps.list().map((app) => app.name)).toEqual(['shop']);
    expect(await unfinished(house)).toEqual([]);
  });

  test('destroys an app with its repository', async () => {
    await house.keeper.create('shop', 'alice', sampleWork());
    await house.keeper.destroy('shop');
    expect(house.platform.apps.list()).toEqual([]);
    expect(readdirSync(join(house.folder, 'repositories'))).toEqual([]);
    await expect(house.keeper.destroy('shop')).rejects.toMatchObject({ code: 'no-such-app' });
  });

  test('destroys nothing under a running push, and says whose it is', async () => {
    await house.keeper.create('shop', 'alice');
    const lease = await leaseOn(house, 'shop', 'bob');
    const refused = expect(house.keeper.destroy('shop')).rejects.toMatchObject({
      code: 'app-busy',
      message: expect.stringContaining('by bob since 2026') as unknown,
    });
    await house.clock.advance(31_000);
    await refused;
    expect(await house.repositories.exists('shop')).toBe(true);
    await lease.release();
  });

  test('waits for a push that ends in time', async () => {
    await house.keeper.create('shop', 'alice');
    const lease = await leaseOn(house, 'shop', 'bob');
    const destroyed = house.keeper.destroy('shop');
    await house.clock.advance(5_000);
    await lease.release();
    await destroyed;
    expect(house.platform.apps.list()).toEqual([]);
  });
});

describe('after a crash', () => {
  test('a provisional app with refs is settled, one without is taken back, and folders half made go', async () => {
    await open('alice', 'full', true);
    push('full', 'main');
    pointHead('full', 'main');
    await open('alice', 'empty', true);
    house.platform.apps.createOnPush('rowonly', 'bob', 10);
    await house.keeper.create('gone', 'bob');
    await house.repositories.retire('gone');
    house.db.prepare('DELETE FROM leases').run();
    expect(await house.keeper.recover()).toEqual([]);
    expect(house.platform.apps.list().map(({ name, branch }) => [name, branch])).toEqual([
      ['full', 'main'],
      ['gone', undefined],
    ]);
    expect(readdirSync(join(house.folder, 'repositories'))).toEqual(['full.git']);
  });

  test('what another process is at is left to it', async () => {
    const session = await open('alice', 'shop', true);
    expect(await house.keeper.recover()).toEqual([]);
    expect(house.platform.apps.provisional()).toEqual(['shop']);
    await finish(session);
  });

  test('what can not be put right is told, and the rest is put right', async () => {
    const { lease } = await open('alice', 'bad', true);
    await lease.release();
    house.platform.apps.createOnPush('empty', 'bob', 10);
    const broken = openHouse(async () => ({ code: 1, stdout: '', stderr: 'no sandbox today' }), house.folder);
    try {
      expect(await broken.keeper.recover()).toMatchObject([{ app: 'bad', error: { code: 'GM_REPOSITORY' } }]);
    } finally {
      broken.close();
    }
    expect(house.platform.apps.provisional()).toEqual(['bad']);
  });
});
