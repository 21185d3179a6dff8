import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { OpenrukoAccessControl } from '../../../src/adapters/openruko/openruko-access-control.js';
import { OpenrukoAuthenticator } from '../../../src/adapters/openruko/openruko-authenticator.js';
import { OpenrukoProvisioner } from '../../../src/adapters/openruko/openruko-provisioner.js';
import { WatchingLiveConnections } from '../../../src/adapters/remote/watching-live-connections.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import type { Lease } from '../../../src/ports/repository-locks.js';
import { accessControlContract } from '../../../src/contracts/access-control.js';
import { authenticatorContract } from '../../../src/contracts/authenticator.js';
import { never, until } from '../../../src/contracts/contract.js';
import { provisionerContract } from '../../../src/contracts/provisioner.js';
import { sampleCaller, sampleCertified, sampleConnection, sampleSession } from '../../../src/contracts/samples.js';
import { liveConnectionsContract } from '../../../src/contracts/live-connections.js';
import { runContract } from '../../support/contract.js';
import { needs } from '../../support/programs.js';
import { openHouse, type House } from './ground.js';

function people({ server, close }: House) {
  return {
    register: async (user: string, key: PublicKey) => server.register(user, key.md5),
    removeKey: async (user: string, key: PublicKey) => server.removeKey(user, key.md5),
    removeUser: async (user: string) => server.removeUser(user),
    breakDown: () => server.stop(),
    stall: async () => {
      server.misbehave('lookup', 'slow');
      server.misbehave('app', 'slow');
    },
    close,
  };
}

const lease: Lease = {
  app: 'app',
  token: 1,
  recalled: new AbortController().signal,
  graceMs: () => 0,
  lost: new AbortController().signal,
  release: async () => undefined,
};

const { describe, test } = needs('openssl');

describe('the adapters of Openruko keep the contracts', () => {
  runContract(
    'of Authenticator',
    authenticatorContract(async () => {
      const house = await openHouse();
      return { ...people(house), authenticator: new OpenrukoAuthenticator(house.client) };
    }, ['certificates']),
  );

  test('nobody is known by a certificate, whoever holds its key', async () => {
    const house = await openHouse();
    try {
      const proof = sampleCertified('alice');
      await people(house).register('alice', proof.key);
      const answer = await new OpenrukoAuthenticator(house.client).identifyCertified(
        proof,
        sampleConnection(),
        never(),
      );
      assert.deepEqual(answer, { kind: 'certificate', problem: { kind: 'not-taken' } });
    } finally {
      await house.close();
    }
  });

  // A collaborator may always do both, archives are never served, no branch is known and no push creates an app.
  runContract(
    'of AccessControl',
    accessControlContract(async () => {
      const house = await openHouse();
      return {
        ...people(house),
        access: new OpenrukoAccessControl(house.client),
        createApp: async (name: string, owner: string) => house.server.createApp(name, owner),
        destroyApp: async (name: string) => house.server.destroyApp(name),
      };
    }, ['list', 'certificates', 'share', 'setArchive', 'setBranch', 'setCreation']),
  );

  // Nothing is held between provisioning and the end, so giving back cannot fail.
  runContract(
    'of Provisioner',
    provisionerContract(async () => {
      const house = await openHouse({ takeJob: () => ({ host: '127.0.0.1', dyno_id: randomUUID() }) });
      let apps = 0;
      return {
        provisioner: new OpenrukoProvisioner(house.client),
        async order(access) {
          const app = `app${(apps += 1)}`;
          house.server.createApp(app, 'alice');
          const service = access === 'write' ? 'git-receive-pack' : 'git-upload-pack';
          const session = sampleSession(sampleCaller('alice'), service, app);
          const grant = { app, access, lockMode: 'wait', creates: false } as const;
          return { grant, lease: access === 'write' ? lease : undefined, session };
        },
        async held() {
          // A call that was given up is gone from the server a moment later.
          await until(() => house.server.open.size === 0, 'no call is open').catch(() => undefined);
          return [...house.server.open].map(({ url }) => `the open call ${url}`);
        },
        breakDown: () => house.server.stop(),
        stall: async () => house.server.misbehave('gitaction', 'slow'),
        close: house.close,
      };
    }, ['breakRelease']),
  );

  runContract(
    'of LiveConnections',
    liveConnectionsContract(async () => {
      const house = await openHouse();
      const clock = new MemoryClock();
      const connections = new WatchingLiveConnections(new OpenrukoAuthenticator(house.client), clock);
      return {
        ...people(house),
        connections,
        pass: (ms: number) => clock.advance(ms),
        async close() {
          for (const connection of connections.list()) connection.remove();
          await house.close();
          assert.equal(clock.sleeping, 0);
        },
      };
    }, ['removals']),
  );
});
