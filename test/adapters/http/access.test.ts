/** What a platform says of people and apps comes through: deploy keys, new names, maintenance. */
import { expect } from '@jest/globals';
import { HttpAccessControl } from '../../../src/adapters/http/http-access-control.js';
import { HttpAuthenticator } from '../../../src/adapters/http/http-authenticator.js';
import { never, rejectionOf } from '../../../src/contracts/contract.js';
import { sampleCertified, sampleConnection, sampleRequest } from '../../../src/contracts/samples.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import type { Caller } from '../../../src/domain/session.js';
import { needs } from '../../support/programs.js';
import { caller, inHouse, type House } from './ground.js';

const { test, describe } = needs('openssl');

const PUSH = sampleRequest('git-receive-pack', 'shop');
const FETCH = sampleRequest('git-upload-pack', 'shop');

/** Whoever holds the key, as they are after their log-in. */
async function loggedIn({ client }: House): Promise<Caller> {
  const user = await new HttpAuthenticator(client).identify(caller.key, sampleConnection(), never());
  if (isRefusal(user)) throw new Error(user.kind);
  return { ...caller, user };
}

test('a look-up names the key in every way, and where the client is', () =>
  inHouse(async (house) => {
    await loggedIn(house);
    const { algorithm, blob, sha256, md5 } = caller.key;
    const base64 = Buffer.from(blob).toString('base64');
    expect(house.server.callsOf('findUser').map(({ body }) => body)).toEqual([
      { key: { algorithm, blob: base64, sha256, md5 }, address: '192.0.2.7' },
    ]);
  }));

describe('a deploy key', () => {
  test('comes with what it is good for', () =>
    inHouse(async (house) => {
      const { people } = house.server;
      for (const binding of [{ apps: ['shop'], access: 'read' }, { apps: ['blog'] }, { apps: [] }] as const) {
        people.register('alice', caller.key.blob, binding);
        const bound = await loggedIn(house);
        expect(bound.user).toEqual({ name: 'alice', binding });
      }
    }));
});

describe('an app', () => {
  test('that has a new name is granted by it, with a notice', () =>
    inHouse(async ({ client, server }) => {
      server.people.rename('shop', 'acme/store');
      const access = new HttpAccessControl(client);
      expect(await access.authorize({ id: 's-1', caller, request: PUSH }, never())).toMatchObject({
        app: 'acme/store',
        notice: "'shop' is called 'acme/store' now.",
      });
    }));

  test('that is read-only can be fetched, and is not pushed to in the words of the platform', () =>
    inHouse(async ({ client, server }) => {
      server.people.setReadOnly('shop');
      const access = new HttpAccessControl(client);
      expect(await access.authorize({ id: 's-1', caller, request: FETCH }, never())).toMatchObject({
        app: 'shop',
        access: 'read',
      });
      const refused = { kind: 'platform', reason: 'read-only', text: "'shop' is archived." };
      expect(await access.authorize({ id: 's-1', caller, request: PUSH }, never())).toEqual(refused);
    }));

  test('is not there for anybody during maintenance, in the words of the platform', () =>
    inHouse(async ({ client, server }) => {
      server.people.maintenance = 'We move.\nPush again at 14:00.';
      const access = new HttpAccessControl(client);
      const refused = { kind: 'platform', reason: 'maintenance', text: 'We move.\nPush again at 14:00.' };
      for (const request of [PUSH, FETCH])
        expect(await access.authorize({ id: 's-1', caller, request }, never())).toEqual(refused);
    }));

  test('can not be created by a name the platform does not take', () =>
    inHouse(async ({ client, server }) => {
      server.people.creation = { onPush: true, limit: 5 };
      const access = new HttpAccessControl(client);
      const request = sampleRequest('git-receive-pack', '7up');
      expect(await access.authorize({ id: 's-1', caller, request }, never())).toEqual({
        kind: 'invalid-app-name',
        app: '7up',
      });
    }));
});

describe('a certified user', () => {
  const proof = sampleCertified('alice');
  const answerOf = ({ client }: House) =>
    new HttpAuthenticator(client).identifyCertified(proof, sampleConnection(), never());

  test('is asked for by name, with what the certificate says', () =>
    inHouse(async (house) => {
      expect(await answerOf(house)).toEqual({ name: 'alice' });
      expect(house.server.callsOf('findUser').at(-1)?.body).toMatchObject({
        user: 'alice',
        certificate: {
          key_id: 'alice@laptop',
          serial: '7',
          principals: ['alice'],
          authority: proof.certificate.authority.sha256,
          valid_after: 0,
          valid_before: null,
        },
      });
    }));

  test('may be bound to apps, as the holder of a key may', () =>
    inHouse(async (house) => {
      house.server.say('findUser', 200, { user: 'alice', binding: { access: 'read' } });
      expect(await answerOf(house)).toEqual({ name: 'alice', binding: { access: 'read' } });
    }));

  test('is nobody else: a platform that passes over the certificate, and names who holds its key, is at fault', () =>
    inHouse(async (house) => {
      house.server.say('findUser', 200, { user: 'bob' });
      const wrong = await rejectionOf(answerOf(house));
      expect(wrong).toMatchObject({ code: 'GM_BAD_ANSWER', stage: 'identify' });
    }));
});
