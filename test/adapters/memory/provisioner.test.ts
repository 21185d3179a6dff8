import { describe, expect, test } from '@jest/globals';
import { MemoryClock, MemoryProvisioner, MemoryRepositoryLocks } from '../../../src/adapters/memory/index.js';
import { Fault } from '../../../src/domain/fault.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import { never } from '../../../src/contracts/contract.js';
import { provisionerContract, type Order } from '../../../src/contracts/provisioner.js';
import { sampleCaller, sampleSession } from '../../../src/contracts/samples.js';
import { runContract } from '../../support/contract.js';

function orders() {
  const locks = new MemoryRepositoryLocks(new MemoryClock());
  let count = 0;
  return async (access: 'read' | 'write'): Promise<Order> => {
    const app = `app${++count}`;
    const service = access === 'write' ? 'git-receive-pack' : 'git-upload-pack';
    const session = sampleSession(sampleCaller('alice'), service, app);
    const grant = { app, access, lockMode: 'wait', creates: false } as const;
    if (access === 'read') return { grant, lease: undefined, session };
    const holder = { user: 'alice', session: session.id, since: 0 };
    const lease = await locks.acquire(app, holder, 'refuse', 0, () => undefined, never());
    if (isRefusal(lease)) throw new Error('each writer has an app of its own');
    return { grant, lease, session };
  };
}

runContract(
  'the memory provisioner',
  provisionerContract(async () => {
    const provisioner = new MemoryProvisioner();
    return {
      provisioner,
      order: orders(),
      held: async () => provisioner.held().map(({ id }) => id),
      breakDown: async () => provisioner.trouble.failWith(new Fault('GM_UNAVAILABLE', 'provision', 'down')),
      stall: async () => provisioner.trouble.stall(),
      breakRelease: async () => provisioner.releaseTrouble.failWith(new Fault('GM_REPOSITORY', 'release', 'stuck')),
      close: async () => undefined,
    };
  }),
);

describe('the record of the memory provisioner', () => {
  test('says what each dyno was provided for, and each release once, with its outcome', async () => {
    const provisioner = new MemoryProvisioner();
    const order = await orders()('write');
    const dyno = await provisioner.provision(order.grant, order.lease, order.session, never());
    if (isRefusal(dyno)) throw new Error('nothing refuses it');
    expect(provisioner.provisions).toEqual([{ dyno, ...order }]);
    expect(provisioner.held()).toEqual([dyno]);
    const usage = { bytesIn: 1, bytesOut: 2, phasesMs: { run: 3 } };
    await provisioner.release(dyno, { kind: 'ended', reason: 'drained' }, usage);
    await provisioner.release(dyno, { kind: 'greeted' }, usage);
    expect(provisioner.releases).toEqual([{ dyno, outcome: { kind: 'ended', reason: 'drained' }, usage }]);
    expect(provisioner.held()).toEqual([]);
  });

  test('refuses when it is told to, and provides nothing', async () => {
    const provisioner = new MemoryProvisioner();
    provisioner.refusal = { kind: 'draining' };
    const order = await orders()('read');
    const answer = await provisioner.provision(order.grant, order.lease, order.session, never());
    expect(answer).toEqual({ kind: 'draining' });
    expect(provisioner.provisions).toEqual([]);
  });
});
