/** The API server's answers, as the original gives them, and what is none of them. */
import { expect } from '@jest/globals';
import { appNameOf, dynoPlaceOf, errorOf, keyHolderOf } from '../../../src/adapters/openruko/answers.js';
import { RendezvousTransport } from '../../../src/adapters/openruko/rendezvous-transport.js';
import { never, within } from '../../../src/contracts/contract.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { DynoHost } from '../../support/openruko/dyno-host.js';
import { needs } from '../../support/programs.js';
import { openGround } from './ground.js';

const { test, describe } = needs('openssl');

const ID = 'a3bb189e-8bf9-3888-9912-ace4e6543002';

function ok(text: string) {
  return { status: 200, text };
}

describe('whose key it is', () => {
  test.each([
    ['2:mattkey', '2', 'mattkey'],
    ['2:mattkey\n', '2', 'mattkey'],
    ['107:a:b:c', '107', 'a:b:c'],
    ['1:5c0a-42~!', '1', '5c0a-42~!'],
  ])('%j: the number is the name', (text, user, apiKey) => {
    expect(keyHolderOf(ok(text))).toEqual({ user, apiKey });
  });

  // None of these may reach a header, a log or a lock.
  test.each(['', ':', '2:', ':key', '2', '2: key', '2:ke y', '2:key\r\nX: y', '2:key\n3:key', '-1:key', '../x:key'])(
    '%j is no answer',
    (text) => {
      expect(keyHolderOf(ok(text))).toBeUndefined();
    },
  );
});

describe('where a dyno is', () => {
  const place = (host: unknown, dyno_id: unknown = ID) =>
    dynoPlaceOf(ok(JSON.stringify({ host, dyno_id, rez_id: ID, more: 1 })));

  test.each(['localhost', 'dyno_host-1.internal', '10.0.0.7', '::1', '2001:db8::7'])('%s', (host) => {
    expect(place(host)).toEqual({ host, dynoId: ID });
  });

  test.each(['', '-oProxyCommand=x', 'a b', 'host\n', 'https://host', 'host/path', 7, null])('not %j', (host) => {
    expect(place(host)).toBeUndefined();
  });

  test('not a name that is longer than any', () => {
    expect(place('x'.repeat(253))).toBeDefined();
    expect(place('x'.repeat(254))).toBeUndefined();
  });

  test('not a dyno whose id would be another line of the header, or anything but an id', () => {
    for (const id of [`${ID}\n`, `${ID}\nx`, 'x', '', 7]) expect(place('localhost', id)).toBeUndefined();
  });

  test('nothing where there is no JSON, or no object', () => {
    for (const text of ['', 'null', '[]', '"x"', '{', '<html>']) {
      expect([dynoPlaceOf(ok(text)), appNameOf(ok(text)), errorOf(ok(text))]).toEqual(Array(3).fill(undefined));
    }
  });

  test('by an IPv6 address too, whose certificate is for that address', async () => {
    const { authority, trust, identity } = openGround();
    const outcome = async (given: typeof identity) => {
      const host = await DynoHost.start({ identity: given, address: '::1' });
      const settings = { port: host.port, serviceKey: SERVICE_KEY, trust, connectMs: 4_000, firstWordMs: 5_000 };
      try {
        const link = { kind: 'rendezvous', host: '::1', service: 'git-upload-pack' } as const;
        const dyno = { id: host.take(['printf', '0000']), link };
        const session = await within(new RendezvousTransport(settings).open(dyno, never()), 'the dyno to open');
        await session.close();
      } finally {
        await host.stop();
      }
    };
    await outcome(authority.issue('IP:::1'));
    await expect(outcome(identity)).rejects.toMatchObject({ code: 'GM_BAD_ANSWER', stage: 'connect' });
  });
});
