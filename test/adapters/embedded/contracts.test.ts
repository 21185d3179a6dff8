import type { CreationRule } from '../../../src/domain/access-policy.js';
import { EmbeddedAccessControl } from '../../../src/adapters/embedded/embedded-access-control.js';
import { EmbeddedAuthenticator } from '../../../src/adapters/embedded/embedded-authenticator.js';
import { EmbeddedLiveConnections } from '../../../src/adapters/embedded/embedded-live-connections.js';
import { openDatabase } from '../../../src/adapters/sqlite/database.js';
import { EmbeddedPlatform } from '../../../src/adapters/embedded/platform.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import { accessControlContract } from '../../../src/contracts/access-control.js';
import { authenticatorContract } from '../../../src/contracts/authenticator.js';
import { liveConnectionsContract } from '../../../src/contracts/live-connections.js';
import { runContract } from '../../support/contract.js';
import { openHouse, register, settledApp, type House } from './house.js';

function people(house: House) {
  return {
    register: async (user: string, key: PublicKey) => register(house, user, key),
    removeKey: async (user: string, key: PublicKey) => house.platform.keys.remove(user, key.sha256),
    removeUser: async (user: string) => house.platform.users.remove(user),
    breakDown: async () => house.close(),
    close: async () => house.close(),
  };
}

// A question to SQLite is answered before anything else can happen: no stalling, no giving up meanwhile.
runContract(
  'the embedded authenticator',
  authenticatorContract(async () => {
    const house = openHouse();
    return { ...people(house), authenticator: new EmbeddedAuthenticator(house.db) };
  }, ['stall']),
);

runContract(
  'the embedded access control',
  accessControlContract(async () => {
    const house = openHouse();
    const { apps, users } = house.platform;
    const creation: { -readonly [K in keyof CreationRule]: CreationRule[K] } = { onPush: false, limit: 10 };
    return {
      ...people(house),
      access: new EmbeddedAccessControl(house.db, creation),
      removeUser: async (user: string) => {
        // Who owns apps is not removed; the contract is about those who are.
        for (const app of apps.list()) if (app.owner === user) apps.remove(app.name);
        users.remove(user);
      },
      createApp: async (name: string, owner: string) => settledApp(house, name, owner),
      destroyApp: async (name: string) => apps.remove(name),
      share: async (app: string, user: string, access: 'read' | 'write') => apps.share(app, user, access),
      unshare: async (app: string, user: string) => apps.unshare(app, user),
      setArchive: async (app: string, on: boolean) => apps.setArchive(app, on),
      setBranch: async (app: string, branch: string) => apps.setBranch(app, branch),
      setCreation: async (rule: CreationRule) => void Object.assign(creation, rule),
    };
  }, ['stall']),
);

// The removals come over the server's own connection to the database, then over another one, as the CLI's do.
for (const by of ['the same', 'another']) {
  runContract(
    `the embedded live connections, with removals over ${by} connection`,
    liveConnectionsContract(async () => {
      const house = openHouse();
      const otherDb = openDatabase(house.file);
      const platform = by === 'another' ? new EmbeddedPlatform(otherDb, house.clock) : house.platform;
      const connections = new EmbeddedLiveConnections(house.db, 5);
      return {
        ...people({ ...house, platform }),
        connections,
        pass: async () => undefined,
        close: async () => {
          connections.close();
          otherDb.close();
          house.close();
        },
      };
    }),
  );
}
