import { HttpAccessControl } from '../../../src/adapters/http/http-access-control.js';
import { HttpAuthenticator } from '../../../src/adapters/http/http-authenticator.js';
import { WatchingLiveConnections } from '../../../src/adapters/remote/watching-live-connections.js';
import { accessControlContract } from '../../../src/contracts/access-control.js';
import { authenticatorContract } from '../../../src/contracts/authenticator.js';
import { until } from '../../../src/contracts/contract.js';
import { provisionerContract } from '../../../src/contracts/provisioner.js';
import { sampleCaller, sampleSession } from '../../../src/contracts/samples.js';
import { liveConnectionsContract } from '../../../src/contracts/live-connections.js';
import type { CreationRule } from '../../../src/domain/access-policy.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import { runContract } from '../../support/contract.js';
import { needs } from '../../support/programs.js';
import { lease } from './asking.js';
import { House } from './ground.js';

function peopleOf(house: House) {
  const { server } = house;
  return {
    register: async (user: string, key: PublicKey) => server.people.register(user, key.blob),
    removeKey: async (_user: string, key: PublicKey) => server.people.removeKey(key.blob),
    removeUser: async (user: string) => server.people.removeUser(user),
    breakDown: () => server.stop(),
    stall: async () => {
      for (const operation of ['findUser', 'authorize', 'listApps', 'openSession'] as const)
        server.misbehave(operation, 'slow');
    },
    close: () => house.close(),
  };
}

needs('openssl').describe('the adapters of a platform over HTTP keep the contracts', () => {
  runContract(
    'of Authenticator',
    authenticatorContract(async () => {
      const house = await House.open();
      return { ...peopleOf(house), authenticator: new HttpAuthenticator(house.client) };
    }),
  );

  runContract(
    'of AccessControl',
    accessControlContract(async () => {
      const house = await House.open();
      const { people } = house.server;
      return {
        ...peopleOf(house),
        access: new HttpAccessControl(house.client),
        createApp: async (name: string, owner: string) => people.createApp(name, owner),
        destroyApp: async (name: string) => people.destroyApp(name),
        share: async (app: string, user: string, access: 'read' | 'write') => people.share(app, user, access),
        unshare: async (app: string, user: string) => people.unshare(app, user),
        setArchive: async (app: string, on: boolean) => people.setArchive(app, on),
        setBranch: async (app: string, branch: string) => people.setBranch(app, branch),
        setCreation: async (rule: CreationRule) => void (people.creation = rule),
      };
    }),
  );

  // What can't be told now is told later, so giving back never fails.
  runContract(
    'of Provisioner',
    provisionerContract(async () => {
      const house = await House.open();
      const { server } = house;
      let apps = 0;
      return {
        ...peopleOf(house),
        provisioner: house.provisioner,
        async order(access) {
          const app = `app${(apps += 1)}`;
          server.people.createApp(app, 'alice');
          const service = access === 'write' ? 'git-receive-pack' : 'git-upload-pack';
          const session = sampleSession(sampleCaller('alice'), service, app);
          const grant = { app, access, lockMode: 'wait', creates: false } as const;
          return { grant, lease: access === 'write' ? { ...lease, app } : undefined, session };
        },
        async held() {
          // A call that was given up is gone from the server a moment later.
          await until(() => server.open.size === 0, 'no call is open').catch(() => undefined);
          return [...[...server.open].map(({ url }) => `the open call ${url}`), ...server.sessions.held];
        },
      };
    }, ['breakRelease']),
  );

  runContract(
    'of LiveConnections',
    liveConnectionsContract(async () => {
      const house = await House.open();
      const connections = new WatchingLiveConnections(new HttpAuthenticator(house.client), house.clock);
      return {
        ...peopleOf(house),
        connections,
        pass: (ms: number) => house.clock.advance(ms),
        async close() {
          for (const connection of connections.list()) connection.remove();
          await house.close();
        },
      };
    }, ['removals']),
  );
});
