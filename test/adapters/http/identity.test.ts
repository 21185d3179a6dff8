/** Who is taken for the platform: nothing is asked, signed or told of anybody else. */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { expect } from '@jest/globals';
import { PlatformAddress } from '../../../src/adapters/http/platform-address.js';
import { PlatformClient, type PlatformSettings } from '../../../src/adapters/http/platform-client.js';
import type { TlsTrust } from '../../../src/adapters/remote/tls.js';
import { Authority, type Identity } from '../../support/openruko/certificates.js';
import { PlatformServer, TOKEN } from '../../support/platform/platform-server.js';
import { needs } from '../../support/programs.js';
import { outcomeOf, QUESTIONS } from './asking.js';
import { caller, inHouse, openGround, settingsFor } from './ground.js';

const { test, describe } = needs('openssl');

const STAGES = ['identify', 'authorize', 'authorize', 'provision'];

/** What comes of each question, of a platform with that certificate. */
async function outcomesWith(identity: Identity, trust: Partial<TlsTrust>): Promise<readonly string[]> {
  const credential = { kind: 'bearer', token: TOKEN } as const;
  const server = await PlatformServer.start({ identity, credential });
  server.people.register('alice', caller.key.blob);
  server.people.createApp('shop', 'alice');
  const { ca, ...rest } = { ...openGround().trust, ...trust };
  const whole = { ...rest, ...(ca === undefined || ca === '' ? {} : { ca }) };
  const client = new PlatformClient(settingsFor(server.url, { trust: whole, auth: credential }));
  try {
    const outcomes = await Promise.all(QUESTIONS.map((question) => outcomeOf(client, question)));
    if (!outcomes.includes('yes')) expect([server.calls, server.connections]).toEqual([[], 0]);
    return outcomes;
  } finally {
    client.close();
    await server.stop();
  }
}

const NONE = '';

describe('who the platform is, whatever it is asked', () => {
  const issued = new Map<string, Identity>();
  const identityOf = (which: 'good' | 'expired' | 'foreign' | 'other-name'): Identity => {
    const { authority, identity } = openGround();
    const make = {
      good: () => identity,
      expired: () => authority.issueExpired(),
      foreign: () => new Authority().issue(),
      'other-name': () => authority.issue('DNS:elsewhere.example'),
    }[which];
    const made = issued.get(which) ?? make();
    issued.set(which, made);
    return made;
  };
  const rows: readonly (readonly [string, Parameters<typeof identityOf>[0], Partial<TlsTrust>, boolean])[] = [
    ['a certificate of the CA', 'good', {}, true],
    ["another CA's", 'foreign', {}, false],
    ['an expired one', 'expired', {}, false],
    ['one for another name', 'other-name', {}, false],
    ['one for another name that is the expected one', 'other-name', { serverName: 'elsewhere.example' }, true],
    ['the pinned one, without its CA', 'good', { ca: NONE, pinnedSha256: 'its own' }, true],
    ['not the pinned one', 'good', { ca: NONE, pinnedSha256: 'ab'.repeat(32) }, false],
    ["not the pinned one, though the CA's", 'good', { pinnedSha256: 'ab'.repeat(32) }, false],
    ['any, where verification is off', 'foreign', { ca: NONE, verify: false }, true],
  ];
  for (const [what, which, trust, isTrusted] of rows)
    test(`${what}: ${isTrusted ? 'yes' : 'GM_BAD_ANSWER, and nothing was sent'}`, async () => {
      const identity = identityOf(which);
      const pin = trust.pinnedSha256 === 'its own' ? { pinnedSha256: identity.sha256 } : {};
      const outcomes = await outcomesWith(identity, { ...trust, ...pin });
      expect(outcomes).toEqual(STAGES.map((stage) => (isTrusted ? 'yes' : `fault GM_BAD_ANSWER ${stage}`)));
    });
});

describe('whoever is no platform', () => {
  const outcomesAt = async (url: string, more: Partial<PlatformSettings> = {}) => {
    const client = new PlatformClient(settingsFor(url, { connectMs: 150, ...more }));
    try {
      return await Promise.all(QUESTIONS.map((question) => outcomeOf(client, question)));
    } finally {
      client.close();
    }
  };
  const faults = (code: string) => STAGES.map((stage) => `fault ${code} ${stage}`);

  test('is not there: GM_UNAVAILABLE, over TLS and without', async () => {
    const gone = await PlatformServer.start({});
    const { port } = gone;
    await gone.stop();
    expect(await outcomesAt(`https://127.0.0.1:${port}`)).toEqual(faults('GM_UNAVAILABLE'));
    expect(await outcomesAt(`http://127.0.0.1:${port}`)).toEqual(faults('GM_UNAVAILABLE'));
  });

  test('speaks plain HTTP where TLS was to be: GM_BAD_ANSWER', async () => {
    const plain = await PlatformServer.start({});
    try {
      expect(await outcomesAt(plain.url.replace('http:', 'https:'))).toEqual(faults('GM_BAD_ANSWER'));
      expect(plain.calls).toEqual([]);
    } finally {
      await plain.stop();
    }
  });

  test('speaks TLS where plain HTTP was to be: a fault', async () => {
    await inHouse(async ({ server }) => {
      const outcomes = await outcomesAt(server.url.replace('https:', 'http:'));
      expect(outcomes).toEqual(faults('GM_UNAVAILABLE'));
      expect(server.calls).toEqual([]);
    });
  });

  test('takes the connection and says nothing: GM_TIMEOUT', async () => {
    const mute: Server = createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as AddressInfo;
    expect(await outcomesAt(`https://127.0.0.1:${port}`)).toEqual(faults('GM_TIMEOUT'));
    const short = { callMs: 200, openMs: 200 };
    expect(await outcomesAt(`http://127.0.0.1:${port}`, short)).toEqual(faults('GM_TIMEOUT'));
    mute.close();
  });
});

describe('the address of a platform', () => {
  test.each([
    ['https://platform.example', { protocol: 'https', host: 'platform.example', port: 443, prefix: '' }],
    ['http://127.0.0.1:8080/', { protocol: 'http', host: '127.0.0.1', port: 8080, prefix: '' }],
    ['https://[::1]:8443/door/', { protocol: 'https', host: '::1', port: 8443, prefix: '/door' }],
    [
      'https://platform.example/a%20b/c',
      { protocol: 'https', host: 'platform.example', port: 443, prefix: '/a%20b/c' },
    ],
  ])('%s', (text, expected) => {
    expect({ ...new PlatformAddress(text) }).toEqual(expected);
    expect({ ...new PlatformAddress(new URL(text)) }).toEqual(expected);
  });

  test.each([
    ['platform.example', 'be a URL'],
    ['ftp://platform.example', 'begin with https://'],
    ['https://user:hunter2@platform.example', 'hold no user and no password'],
    ['https://platform.example/?a=b', 'have neither'],
    ['https://platform.example/#top', 'have neither'],
  ])('%s is none, and its words quote no password', (text, words) => {
    expect(() => new PlatformAddress(text)).toThrow(words);
    expect(() => new PlatformAddress(text)).not.toThrow('hunter2');
  });

  test('a path in it comes before every other, and is signed', () =>
    inHouse(
      async ({ client }) => {
        for (const question of QUESTIONS) expect(await outcomeOf(client, question)).toBe('yes');
      },
      { prefix: '/door/of%20it' },
    ));
});
