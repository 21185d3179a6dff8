/** Key exchanges that cost the server much and the stranger nothing (CVE-2002-20001, "D(HE)at"). */
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { kexInit } from '../../../support/hostile/key-exchange.js';
import { HostileWire } from '../../../support/hostile/wire.js';
import { MESSAGE, message, string } from '../../../support/ssh-bytes.js';
import { AttackGround } from './attack-ground.js';

/** The costliest on offer, and the size of its public values in bytes. */
const COSTLIEST = { name: 'diffie-hellman-group16-sha512', bytes: 512 };
const KEXDH_REPLY = 31;
const ATTACKERS = 30;

let door: AttackGround;

afterEach(() => door.close());

test('costly key exchanges by strangers, one after the other from thirty connections, hold up nobody else', async () => {
  // Attack: begin the costliest key exchange on offer and send any number as the public value. It costs the attacker a
  // few hundred bytes and no computing, and the server milliseconds for each, in which Node does nothing else. Bare
  // ssh2 computes all that have come before it looks at anybody else. gitmouth handles one piece of a stranger in each
  // turn of the event loop, source after source (`turnstile.test.ts`), and does not offer group18, which costs seven times
  // as much as group16.
  door = await AttackGround.open();
  let isOver = false;
  let computed = 0;
  const attack = async (): Promise<void> => {
    while (!isOver) {
      const client = await HostileWire.dial(door.port);
      client.raw('SSH-2.0-hostile\r\n');
      // At once, and not when a test's waiting looks the next time: the server is to have no rest.
      const isAnswered = new Promise<void>((resolve) => {
        client.socket.once('close', resolve);
        client.consume = ([type]) => {
          if (type !== KEXDH_REPLY) return false;
          computed += 1;
          resolve();
          return true;
        };
      });
      // A number without a leading bit, so that it is positive as an mpint (RFC 4251 5).
      const number = Buffer.concat([Buffer.from([0x7f]), randomBytes(COSTLIEST.bytes - 1)]);
      client.send(kexInit({ kex: [COSTLIEST.name] }), message(MESSAGE.KEX_ECDH_INIT, string(number)));
      await isAnswered;
      client.socket.destroy();
    }
  };
  const attackers = Array.from({ length: ATTACKERS }, attack);
  try {
    await door.expectHonestServed();
  } finally {
    isOver = true;
    await Promise.all(attackers);
  }
  expect(computed).toBeGreaterThan(ATTACKERS);
});
