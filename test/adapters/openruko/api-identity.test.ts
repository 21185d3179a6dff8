/** Who is taken for the API server: the key goes to nobody else. */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { expect } from '@jest/globals';
import { ApiClient } from '../../../src/adapters/openruko/api-client.js';
import type { TlsTrust } from '../../../src/adapters/remote/tls.js';
import { ApiServer } from '../../support/openruko/api-server.js';
import { Authority } from '../../support/openruko/certificates.js';
import { needs } from '../../support/programs.js';
import { LIMITS, outcomeOf, populate } from './asking.js';
import { openGround, settingsFor } from './ground.js';

const { test, describe } = needs('openssl');

const DOWN = 'GM_UNAVAILABLE';
const WRONG = 'GM_BAD_ANSWER';
const LATE = 'GM_TIMEOUT';

describe('who the API server is', () => {
  const outcomeWith = async (identity: 'good' | 'expired' | 'foreign' | 'other-name', trust: Partial<TlsTrust>) => {
    const ground = openGround();
    const given = {
      good: () => ground.identity,
      expired: () => ground.authority.issueExpired(),
      foreign: () => new Authority().issue(),
      'other-name': () => ground.authority.issue('DNS:elsewhere.example'),
    }[identity]();
    const server = await ApiServer.start({ identity: given });
    populate(server);
    const { ca, ...rest } = { ...ground.trust, ...trust };
    const whole = { ...rest, ...(ca === undefined || ca === '' ? {} : { ca }) };
    const pin = whole.pinnedSha256 === 'its own' ? { pinnedSha256: given.sha256 } : {};
    const client = new ApiClient(settingsFor(server.port, { ...LIMITS, trust: { ...whole, ...pin } }));
    try {
      const outcome = await outcomeOf(client, 'lookup');
      if (outcome !== 'yes') expect(server.calls).toEqual([]);
      return outcome;
    } finally {
      client.close();
      await server.stop();
    }
  };
  const NONE = '';
  const rows: readonly (readonly [string, Parameters<typeof outcomeWith>, string])[] = [
    ['a certificate of the CA', ['good', {}], 'yes'],
    ['the same without that CA', ['good', { ca: NONE }], WRONG],
    ["another CA's", ['foreign', {}], WRONG],
    ['an expired one', ['expired', {}], WRONG],
    ['one for another name', ['other-name', {}], WRONG],
    ['one for another name that is the expected one', ['other-name', { serverName: 'elsewhere.example' }], 'yes'],
    ['the pinned one, without its CA', ['good', { ca: NONE, pinnedSha256: 'its own' }], 'yes'],
    ['the pinned one, expired, for a name of its own', ['expired', { ca: NONE, pinnedSha256: 'its own' }], 'yes'],
    ['not the pinned one', ['good', { ca: NONE, pinnedSha256: 'ab'.repeat(32) }], WRONG],
    ["not the pinned one, though the CA's", ['good', { pinnedSha256: 'ab'.repeat(32) }], WRONG],
    ["the pinned one, and not the CA's", ['foreign', { pinnedSha256: 'its own' }], WRONG],
    ['any, where verification is off', ['foreign', { ca: NONE, verify: false }], 'yes'],
  ];
  for (const [what, given, expected] of rows)
    test(`${what}: ${expected}${expected === 'yes' ? '' : ', and no key was sent'}`, async () => {
      expect(await outcomeWith(...given)).toBe(expected === 'yes' ? 'yes' : `fault ${expected} identify`);
    });

  test('a server that is not there, one that speaks no TLS, and one that says nothing', async () => {
    const mute = createServer((socket) => socket.on('error', () => undefined).resume());
    const plain = createServer((socket) => {
      socket.on('error', () => undefined).resume();
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    for (const server of [mute, plain]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const gone = await ApiServer.start({ identity: openGround().identity });
    const { port: gonePort } = gone;
    await gone.stop();
    const outcome = async (port: number) => {
      const client = new ApiClient(settingsFor(port, { connectMs: 200, callMs: 5_000 }));
      try {
        return await outcomeOf(client, 'lookup');
      } finally {
        client.close();
      }
    };
    try {
      expect(await outcome(gonePort)).toBe(`fault ${DOWN} identify`);
      expect(await outcome(portOf(plain))).toBe(`fault ${WRONG} identify`);
      expect(await outcome(portOf(mute))).toBe(`fault ${LATE} identify`);
    } finally {
      for (const server of [mute, plain]) server.close();
    }
  });
});

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
