/** What a connection costs on which nothing happens, in each state that it can be in. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Pair } from '../../adapters/ssh2/ground.js';
import { figure } from '../../support/figures.js';
import { HostileClient } from '../../support/hostile/client.js';
import { MeasuredDoor, type Usage } from '../../support/measured-door.js';
import { needs } from '../../support/programs.js';
import { MESSAGE } from '../../support/ssh-bytes.js';
import { ALL_ARE_LET_IN, ALL_ARE_WAITED_FOR, addressOf, closeAll, each, keyOf } from './crowd.js';

const { describe, test } = needs('ssh-keygen');

const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const CLIENTS = IS_SOAK ? 4_000 : 1_000;
const KIB = 1024;
/** What an object of each state may weigh at most; twice of what is measured, or more. */
const MOST_BYTES = 128 * KIB;
const MOST_RESIDENT_BYTES = 192 * KIB;

/** Code that was compiled meanwhile, tables that have grown once; some KiB for each connection would be a leak. */
const MOST_LEFT_BYTES = 8 * KIB ** 2;
const SETTLE_LIMIT_MS = 20_000;

describe('thousands of connections on which nothing happens', () => {
  const door = new MeasuredDoor({ ...ALL_ARE_LET_IN, ...ALL_ARE_WAITED_FOR });
  const clients: HostileClient[] = [];
  let key: Pair;
  let before: Usage;

  beforeAll(async () => {
    await door.start();
    key = keyOf(await door.person('mallory'));
    // Warm: everything is loaded, and what is made once is made.
    for (let n = 0; n < 50; n += 1) await (await HostileClient.logIn(door.port, key)).close();
    await door.connectionsGone();
    before = await door.usage();
  });

  afterAll(async () => {
    await closeAll(clients);
    await door.stop();
  });

  async function expectLight(state: string): Promise<void> {
    const now = await door.usage();
    const held = (now.heldBytes - before.heldBytes) / CLIENTS;
    const resident = (now.residentBytes - before.residentBytes) / CLIENTS;
    const told = `${(held / KIB).toFixed(1)} KiB of objects and buffers, ${(resident / KIB).toFixed(1)} KiB resident`;
    process.stdout.write(`load: a silent connection, ${state}: ${told}\n`);
    figure(`a silent connection, ${state}`, told);
    expect(door.connections()).toBe(CLIENTS);
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThan(MOST_BYTES);
    expect(resident).toBeLessThan(MOST_RESIDENT_BYTES);
  }

  test('hold little when they have only been accepted', async () => {
    const all = Array.from({ length: CLIENTS }, (_, n) => n);
    clients.push(...(await each(all, (n) => HostileClient.dial(door.port, { from: addressOf(n) }))));
    await expectLight('accepted');
  });

  test('hold little when they have said who they are', async () => {
    for (const client of clients) client.identify();
    await each(clients, (client) => client.next(MESSAGE.KEXINIT));
    await expectLight('identified');
  });

  test('hold little when keys are exchanged', async () => {
    await each(clients, (client) => client.exchangeKeys());
    await expectLight('keys exchanged');
  });

  test('hold little when they have logged in', async () => {
    await each(clients, async (client) => {
      client.requestService();
      client.prove({ algorithm: 'ssh-ed25519', blob: key.blob }, key);
      await client.next(MESSAGE.USERAUTH_SUCCESS);
    });
    await expectLight('logged in');
  });

  test('hold little when each has a session open', async () => {
    await each(clients, (client) => client.open(0));
    await expectLight('one session open');
  });

  test('hold little when each has ten sessions open', async () => {
    await each(clients, async (client) => {
      for (let channel = 1; channel < 10; channel += 1) await client.open(channel);
    });
    await expectLight('ten sessions open');
  });

  test('leave nothing behind', async () => {
    await closeAll(clients.splice(0));
    await door.connectionsGone();
    const since = performance.now();
    const heldNow = async () => (await door.usage()).heldBytes - before.heldBytes;
    let held = await heldNow();
    // What a closed socket has left to a later turn of the event loop goes with the next garbage.
    while (held > MOST_LEFT_BYTES && performance.now() - since < SETTLE_LIMIT_MS) held = await heldNow();
    figure(`after ${CLIENTS} silent connections have left`, `${(held / KIB).toFixed(0)} KiB more than before them`);
    expect(held).toBeLessThan(MOST_LEFT_BYTES);
  });
});
