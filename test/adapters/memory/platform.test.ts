import {
  MemoryAccessControl,
  MemoryAuthenticator,
  MemoryPlatform,
  MemoryLiveConnections,
} from '../../../src/adapters/memory/index.js';
import { Fault } from '../../../src/domain/fault.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import { accessControlContract } from '../../../src/contracts/access-control.js';
import { authenticatorContract } from '../../../src/contracts/authenticator.js';
import { liveConnectionsContract } from '../../../src/contracts/live-connections.js';
import { runContract } from '../../support/contract.js';

function usersOf(platform: MemoryPlatform) {
  return {
    register: async (user: string, key: PublicKey) => platform.register(user, key),
    removeKey: async (user: string, key: PublicKey) => platform.removeKey(user, key),
    removeUser: async (user: string) => platform.removeUser(user),
    close: async () => undefined,
  };
}

runContract(
  'the memory authenticator',
  authenticatorContract(async () => {
    const platform = new MemoryPlatform();
    const authenticator = new MemoryAuthenticator(platform);
    return {
      ...usersOf(platform),
      authenticator,
      breakDown: async () => authenticator.trouble.failWith(new Fault('GM_UNAVAILABLE', 'identify', 'down')),
      stall: async () => authenticator.trouble.stall(),
    };
  }),
);

runContract(
  'the memory access control',
  accessControlContract(async () => {
    const platform = new MemoryPlatform();
    const access = new MemoryAccessControl(platform);
    return {
      ...usersOf(platform),
      access,
      createApp: async (name, owner) => platform.createApp(name, owner),
      destroyApp: async (name) => platform.destroyApp(name),
      share: async (app, user, level) => platform.share(app, user, level),
      unshare: async (app, user) => platform.unshare(app, user),
      setArchive: async (app, archive) => platform.set(app, { archive }),
      setBranch: async (app, branch) => platform.set(app, { branch }),
      setCreation: async (rule) => void (platform.creation = rule),
      breakDown: async () => access.trouble.failWith(new Fault('GM_UNAVAILABLE', 'authorize', 'down')),
      stall: async () => access.trouble.stall(),
    };
  }),
);

runContract(
  'the memory live connections',
  liveConnectionsContract(async () => {
    const platform = new MemoryPlatform();
    return { ...usersOf(platform), connections: new MemoryLiveConnections(platform), pass: async () => undefined };
  }),
);
