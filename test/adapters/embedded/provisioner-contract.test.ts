import type { JobResult, RunInRepository } from '../../../src/adapters/embedded/repository-run.js';
import type { Lease } from '../../../src/ports/repository-locks.js';
import { provisionerContract } from '../../../src/contracts/provisioner.js';
import { sampleKey } from '../../../src/contracts/samples.js';
import { runContract } from '../../support/contract.js';
import { openHouse, owner, register } from './house.js';
import { grantOf, leaseOn, orderOf, Pushers, unfinished } from './pushing.js';
import { unsandboxed } from './run-unsandboxed.js';

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
        provisioner: new Pushers(house, 100).provisioner,
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
