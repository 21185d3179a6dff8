/** What the contracts can't ask for: provisional apps, and keys that only seem to be the same. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EmbeddedAccessControl } from '../../../src/adapters/embedded/embedded-access-control.js';
import { EmbeddedAuthenticator } from '../../../src/adapters/embedded/embedded-authenticator.js';
import { EmbeddedLiveConnections } from '../../../src/adapters/embedded/embedded-live-connections.js';
import { never, turns, until } from '../../../src/contracts/contract.js';
import { sampleCaller, sampleConnection, sampleKey, sampleSession } from '../../../src/contracts/samples.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import { openHouse, register, type House } from './house.js';

let house: House;

beforeEach(() => {
  house = openHouse();
});

afterEach(() => {
  house.close();
});

describe('the embedded authenticator', () => {
  // An attack on whatever computed the fingerprint: it says alice's, and the key is mallory's own.
  test('does not know a key by its fingerprint alone', async () => {
    const [known, forged] = [sampleKey(), sampleKey()];
    register(house, 'alice', known);
    const claim = { ...forged, sha256: known.sha256 };
    const authenticator = new EmbeddedAuthenticator(house.db);
    expect(await authenticator.identify(claim, sampleConnection(), never())).toEqual({ kind: 'unknown-key' });
    expect(await authenticator.identify(known, sampleConnection(), never())).toEqual({ name: 'alice' });
  });
});

test('the embedded authenticator tells which keys must verify their user', async () => {
  const [strict, plain] = [sampleKey('sk-ssh-ed25519@openssh.com'), sampleKey('sk-ssh-ed25519@openssh.com')];
  house.platform.users.add('alice');
  house.platform.keys.add('alice', strict, '', { isVerifyRequired: true });
  house.platform.keys.add('alice', plain, '');
  const authenticator = new EmbeddedAuthenticator(house.db);
  const identify = (key: PublicKey) => authenticator.identify(key, sampleConnection(), never());
  expect(await identify(strict)).toEqual({ name: 'alice', needsVerification: true });
  expect(await identify(plain)).toEqual({ name: 'alice' });
});

describe('the embedded access control, while a push makes an app', () => {
  const ask = (user: string, service: 'git-upload-pack' | 'git-receive-pack', limit = 1) => {
    const key = sampleKey();
    register(house, user, key);
    const access = new EmbeddedAccessControl(house.db, { onPush: true, limit });
    return access.authorize(sampleSession(sampleCaller(user, key), service, 'shop'), never());
  };

  beforeEach(() => {
    register(house, 'alice', sampleKey());
    house.platform.apps.createOnPush('shop', 'alice', 10);
  });

  test('grants its owner a second push as one that may have to make it, within the limit', async () => {
    expect(await ask('alice', 'git-receive-pack')).toMatchObject({ app: 'shop', access: 'write', creates: true });
  });

  test('has nothing to read yet', async () => {
    expect(await ask('alice', 'git-upload-pack')).toMatchObject({ kind: 'no-access' });
  });

  test('refuses everybody else', async () => {
    expect(await ask('bob', 'git-receive-pack')).toMatchObject({ kind: 'no-access' });
    expect(await ask('bob', 'git-upload-pack')).toMatchObject({ kind: 'no-access' });
  });
});

describe('the embedded live connections', () => {
  test('does not end the connection of a user who was removed and added anew before', async () => {
    const key = sampleKey();
    register(house, 'alice', key);
    const connections = new EmbeddedLiveConnections(house.db, 5);
    try {
      const old = connections.add(sampleCaller('alice', key));
      house.platform.users.remove('alice');
      register(house, 'alice', key);
      const anew = connections.add(sampleCaller('alice', key));
      await until(() => old.ended.aborted, 'the old connection has ended');
      await turns();
      expect(anew.ended.aborted).toBe(false);
    } finally {
      connections.close();
    }
  });

  test('ends nobody for a removal of before it was started, and forgets removals after a day', () => {
    register(house, 'alice', sampleKey());
    house.platform.users.remove('alice');
    const count = () => house.db.prepare('SELECT count(*) AS n FROM revocations').get();
    expect(count()).toEqual({ n: 1 });
    return house.clock.advance(25 * 3600 * 1000).then(() => {
      register(house, 'bob', sampleKey());
      house.platform.users.remove('bob');
      expect(count()).toEqual({ n: 1 });
    });
  });

  test('neither ends connections nor throws while the database can not be read', async () => {
    const key = sampleKey();
    register(house, 'alice', key);
    const connections = new EmbeddedLiveConnections(house.db, 5);
    try {
      const connection = connections.add(sampleCaller('alice', key));
      house.close();
      const late = connections.add(sampleCaller('alice', key));
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect([connection.ended.aborted, late.ended.aborted]).toEqual([false, false]);
    } finally {
      connections.close();
    }
  });
});
