/**
 * A writer that stands still (a suspended machine, a job that takes for ever) until another has the lock, and then goes
 * on as if the app were its own: what it does then must leave the app as the other one has made it.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AppKeeper } from '../../../src/adapters/embedded/app-keeper.js';
import type { RepositoryJob } from '../../../src/adapters/embedded/repository-run.js';
import { Departure } from '../../../src/domain/session-end.js';
import type { RepositoryLocks } from '../../../src/ports/repository-locks.js';
import { rejectionOf } from '../../../src/contracts/contract.js';
import { sampleKey } from '../../../src/contracts/samples.js';
import { git, openHouse, owner, register, sampleWork, type House } from './house.js';
import { grantOf, leaseOn, orderOf, Pushers, type Pushing } from './pushing.js';
import { unsandboxed } from './run-unsandboxed.js';

/** Two gitmouths on one data folder. */
let late: House;
let other: House;
/** What the end of a job of the late one waits for. */
let standstill: Promise<void> | undefined;
let standsStillAt: (job: RepositoryJob) => boolean;
let goOn: () => void;
let hasStopped: Promise<void>;

beforeEach(() => {
  standsStillAt = () => true;
  let stopped: () => void;
  hasStopped = new Promise((resolve) => (stopped = resolve));
  const run = unsandboxed(owner);
  late = openHouse(async (job, signal) => {
    const until = standsStillAt(job) ? standstill : undefined;
    if (until === undefined) return run(job, signal);
    standstill = undefined;
    const result = await run(job, signal);
    stopped();
    await until;
    return result;
  });
  other = openHouse(run, late.folder);
  register(late, 'alice', sampleKey());
});

afterEach(() => {
  late.close();
  other.close();
});

/** @param at the first job of which this is true: the next one, where it is not said. */
function standStill(at: (job: RepositoryJob) => boolean = () => true): void {
  standsStillAt = at;
  standstill = new Promise((resolve) => (goOn = resolve));
}

/** The late one's lease has run out, and it has not noticed. */
function runOut(): void {
  other.db.prepare('DELETE FROM leases').run();
}

/** A whole push of the other one: its commit. */
async function pushed(): Promise<string> {
  const pushers = new Pushers(other, 3);
  const pushing = await pushers.begin('alice', 'shop');
  pushers.push('shop', 'main');
  await pushers.finish(pushing);
  return head();
}

function head(): string {
  return git(other.repositories.path('shop'), 'rev-parse', 'main');
}

async function expectOthers(commit: string): Promise<void> {
  expect(other.platform.apps.get('shop')).toMatchObject({ provisional: false, branch: 'main' });
  expect(head()).toBe(commit);
  expect(await other.repositories.leftovers()).toEqual([]);
}

test.each(['has run out', 'was released, as nobody waited for it any more'])(
  'one that makes an app, and is ended when its lease %s, takes nothing back',
  async (how) => {
    const lease = await leaseOn(late, 'shop');
    const control = new AbortController();
    const { grant, session } = orderOf('alice', grantOf('shop', 'write', true), lease);
    standStill();
    const provisioned = new Pushers(late, 3).provisioner.provision(grant, lease, session, control.signal);
    const ended = rejectionOf(provisioned);
    await hasStopped;
    if (how === 'has run out') runOut();
    else await lease.release();
    const commit = await pushed();
    control.abort(new Departure('client-left'));
    goOn();
    expect(await ended).toBe(control.signal.reason);
    await expectOthers(commit);
  },
);

test('one that concludes its push settles nothing of an app that was made anew', async () => {
  const pushers = new Pushers(late, 3);
  const pushing = await pushers.begin('alice', 'shop');
  pushers.push('shop', 'main');
  // It knows the branch by then, and has but to write it down.
  standStill(({ argv }) => argv.includes('refs/heads/main'));
  const finished = pushers.finish(pushing);
  await hasStopped;
  runOut();
  await other.keeper.destroy('shop');
  const others = new Pushers(other, 3);
  const running = await others.begin('alice', 'shop');
  goOn();
  await finished;
  expect(other.platform.apps.get('shop')).toMatchObject({ provisional: true });
  others.push('shop', 'main');
  await others.finish(running);
  await expectOthers(head());
});

test('one that concludes its push clears away nothing of a push that has the lock by now', async () => {
  const pushers = new Pushers(late, 3);
  const pushing = await pushers.begin('alice', 'shop');
  runOut();
  const others = new Pushers(other, 3);
  const running = await others.begin('alice', 'shop');
  const receiving = join(other.repositories.path('shop'), 'objects', 'tmp_objdir-incoming-a1B2c3');
  mkdirSync(receiving);
  await pushers.finish(pushing);
  expect(existsSync(receiving)).toBe(true);
  others.push('shop', 'main');
  await others.finish(running);
});

test('one that finds an empty app as it concludes leaves it to who is pushing to it by now', async () => {
  const pushers = new Pushers(late, 3);
  const pushing = await pushers.begin('alice', 'shop');
  standStill();
  const finished = pushers.finish(pushing);
  await hasStopped;
  runOut();
  const others = new Pushers(other, 3);
  const running: Pushing = await others.begin('alice', 'shop');
  goOn();
  await finished;
  expect(other.platform.apps.get('shop')).toMatchObject({ provisional: true });
  git(sampleWork(), 'push', '--quiet', other.repositories.path('shop'), 'main');
  await others.finish(running);
  await expectOthers(head());
});

test('one that goes on before its app is claimed makes none', async () => {
  const lease = await leaseOn(late, 'shop');
  const order = orderOf('alice', grantOf('shop', 'write', true), lease);
  // As it stands between raising its fence and the claim.
  const provisioned = new Pushers(late, 3).provisioner.provision(
    order.grant,
    lease,
    order.session,
    new AbortController().signal,
  );
  runOut();
  const next = await leaseOn(other, 'shop');
  other.fences.raise('shop', next.token);
  expect(await rejectionOf(provisioned)).toMatchObject({ code: 'GM_LEASE_LOST', stage: 'provision' });
  expect(other.platform.apps.get('shop')).toBeUndefined();
  await next.release();
});

test('an operator who destroys an app, and stood still, destroys nothing of a push that has the lock by now', async () => {
  const commit = await pushed();
  const others = new Pushers(other, 3);
  let running: Pushing | undefined;
  const locks: RepositoryLocks = {
    async acquire(...asked) {
      const lease = await late.locks.acquire(...asked);
      runOut();
      running = await others.begin('alice', 'shop');
      return lease;
    },
    held: (signal) => late.locks.held(signal),
    free: (...asked) => late.locks.free(...asked),
  };
  const keeper = new AppKeeper(late.platform.apps, late.repositories, late.fences, locks);
  await expect(keeper.destroy('shop')).rejects.toMatchObject({ code: 'app-busy' });
  await expectOthers(commit);
  if (running !== undefined) await others.finish(running);
});
