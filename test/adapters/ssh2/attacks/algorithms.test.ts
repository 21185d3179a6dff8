/** What is offered, and to whom it is not (weaknesses 12, 14 and 18 of docs/hardening.md). */
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../../../src/contracts/contract.js';
import { OFFER, readKexInit, type Offer } from '../../../support/hostile/key-exchange.js';
import { MESSAGE, message, Reader, string } from '../../../support/ssh-bytes.js';
import { AttackGround, expectTurnedAway, MEBIBYTE, REASON } from './attack-ground.js';

let door: AttackGround;

beforeEach(async () => {
  door = await AttackGround.open();
});

afterEach(() => door.close());

describe('the server’s offer', () => {
  test('has nothing that is broken, weak or dangerous before the log-in', async () => {
    // Attack (weakness 18): a man in the middle who can make SHA-1 collide. Bare ssh2 advertises `ssh-rsa` for every
    // RSA host key, even where the list of algorithms leaves it out. Weakness 12: it offers `zlib`, by which strangers
    // have it inflate what they send.
    const client = await door.dial();
    client.identify();
    const { kex, hostKey, cipher, mac, compression } = readKexInit(await client.next(MESSAGE.KEXINIT));
    const all = [...kex, ...hostKey, ...cipher, ...mac];
    expect(
      all.filter((name) => /sha1|ssh-rsa|ssh-dss|nistp|group1-|group14|cbc|3des|arcfour|md5|none/.test(name)),
    ).toEqual([]);
    expect(mac.filter((name) => !name.endsWith('-etm@openssh.com'))).toEqual([]);
    expect(compression).toEqual(['none']);
    // By which clients count their packets anew, so that none can be dropped unseen (Terrapin).
    expect(kex).toContain('kex-strict-s-v00@openssh.com');
    expect(hostKey).toEqual(['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256']);
  });

  test('of signature algorithms names each by itself, and none that is not taken', async () => {
    // No attack, but RSA users who are shut out (weakness 14): bare ssh2 leaves out a comma
    // (`ecdsa-sha2-nistp521rsa-sha2-512`), and names SHA-1 and DSA.
    const client = await door.connect();
    const reader = new Reader(await client.next(MESSAGE.EXT_INFO));
    expect([reader.uint32(), reader.text(), reader.text().split(',')]).toEqual([
      // The other one is `ping@openssh.com`.
      2,
      'server-sig-algs',
      [
        'ssh-ed25519',
        'sk-ssh-ed25519@openssh.com',
        'sk-ecdsa-sha2-nistp256@openssh.com',
        'ecdsa-sha2-nistp256',
        'ecdsa-sha2-nistp384',
        'ecdsa-sha2-nistp521',
        'rsa-sha2-512',
        'rsa-sha2-256',
      ],
    ]);
  });

  test('of signature algorithms is not made to whoever did not ask (RFC 8308 2.2)', async () => {
    const client = await door.logIn({ offer: { kex: OFFER.kex.filter((name) => name !== 'ext-info-c') } });
    expect(client.count(MESSAGE.EXT_INFO)).toBe(0);
  });
});

describe('a client that offers nothing good', () => {
  // Attack: insist on what can be broken, and hope that the server gives in. It costs one packet.
  const bad: readonly [string, Partial<Offer>][] = [
    ['key exchange by SHA-1', { kex: ['diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'] }],
    ['key exchange over NIST curves', { kex: ['ecdh-sha2-nistp256', 'ecdh-sha2-nistp521'] }],
    ['host keys by SHA-1 and DSA', { hostKey: ['ssh-rsa', 'ssh-dss'] }],
    ['ciphers in CBC mode', { cipher: ['aes256-cbc', 'aes128-cbc', '3des-cbc'] }],
    ['no cipher', { cipher: ['none'] }],
    ['MACs by SHA-1 and MD5', { cipher: ['aes256-ctr'], mac: ['hmac-sha1', 'hmac-md5', 'hmac-sha1-96'] }],
    ['MACs of what is not yet encrypted', { cipher: ['aes256-ctr'], mac: ['hmac-sha2-256', 'hmac-sha2-512'] }],
    ['no MAC', { cipher: ['aes256-ctr'], mac: ['none'] }],
    ['compression', { compression: ['zlib', 'zlib@openssh.com'] }],
    ['nothing', { kex: [''], hostKey: [''], cipher: [''], mac: [''], compression: [''] }],
  ];

  test.each(bad)('but %s is turned away before any keys', async (_what, offer) => {
    const client = await door.dial();
    client.identify();
    client.beginKeyExchange(offer);
    expect((await client.turnedAway()).reason).toBe(REASON.KEY_EXCHANGE_FAILED);
    await until(() => door.inside.observer.ofType('connection-closed').length === 1, 'the connection is closed');
    await door.expectHonestServed();
  });
});

test('what a stranger compressed is not inflated', async () => {
  // Attack (weakness 12): agree on zlib, which inflates before the log-in and without a limit, and send packets of
  // zeros. It costs 28 KB for 28 MB; bare ssh2 took 64 to 94 MB more and spent its time inflating, 40 to 67 packets in
  // 8 s. gitmouth knows no compression: a client that uses it all the same has sent noise.
  const bomb = deflateSync(message(MESSAGE.IGNORE, string(Buffer.alloc(28 * MEBIBYTE))));
  const client = await door.dial();
  client.identify();
  client.isDeafToKeyExchange = false;
  client.beginKeyExchange({ compression: ['zlib', 'none'] });
  await client.goOnExchangingKeys();
  client.send(bomb);
  // Taken as it is, it is a message of the number that zlib streams begin with; inflated it would be one to be ignored.
  await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'message-before-login');
  await door.expectHonestServed();
});
