/**
 * Clients that send the first message of the key exchange along with their KEXINIT (RFC 4253 7), as dropbear does.
 * ssh2 drops it whatever it is, so that a client whose guess is right would wait for an answer for ever.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { agreementFor, Hybrid, HYBRID, kexInit, OFFER, type Offer } from '../../support/hostile/key-exchange.js';
import { HostileWire } from '../../support/hostile/wire.js';
import { MESSAGE, message, string } from '../../support/ssh-bytes.js';
import { openGround, type Ground } from './ground.js';

/** From the end of a KEXINIT to its `first_kex_packet_follows`. */
const FLAG_FROM_END = 5;

/** As a guess it can only be dropped: answered, it would end the connection. */
const NO_POINT = message(MESSAGE.KEX_ECDH_INIT, string('no point'));

let ground: Ground;
let wire: HostileWire;

beforeEach(async () => {
  ground = await openGround();
  wire = await HostileWire.dial(ground.port);
  wire.raw('SSH-2.0-guessing\r\n');
});

afterEach(async () => {
  await wire.close();
  await ground.close();
});

function sendWithGuess(guess: Buffer, offer: Partial<Offer> = {}): void {
  const init = kexInit(offer);
  init[init.length - FLAG_FROM_END] = 1;
  wire.send(init, guess);
}

describe('a first message that was guessed', () => {
  test('right is answered', async () => {
    sendWithGuess(new Hybrid().initMessage(), { kex: [HYBRID, ...OFFER.kex] });
    await wire.next(MESSAGE.KEX_ECDH_REPLY);
  });

  test.each<[string, Partial<Offer>]>([
    ['the key exchange', { kex: ['sntrup761x25519-sha512@openssh.com', 'curve25519-sha256'] }],
    ['the key exchange, though it is the one agreed on', { kex: ['curve25519-sha256', HYBRID] }],
    ['the key exchange, by another name of the one agreed on', { kex: ['curve25519-sha256@libssh.org'] }],
    ['the host key, with the key exchange guessed right', { hostKey: ['rsa-sha2-512', 'ssh-ed25519'], kex: [HYBRID] }],
    ['the host key', { hostKey: ['rsa-sha2-512', 'ssh-ed25519'] }],
  ])('wrong, as for %s, is dropped, and the next one answered', async (_what, offer) => {
    sendWithGuess(NO_POINT, offer);
    wire.send(agreementFor(offer).initMessage());
    await wire.next(MESSAGE.KEX_ECDH_REPLY);
    expect(wire.count(MESSAGE.DISCONNECT)).toBe(0);
  });

  test('is judged once: what follows it is no guess', async () => {
    sendWithGuess(NO_POINT, { hostKey: ['rsa-sha2-512', 'ssh-ed25519'] });
    wire.send(NO_POINT);
    await wire.closed();
    expect(wire.count(MESSAGE.KEX_ECDH_REPLY)).toBe(0);
  });
});
