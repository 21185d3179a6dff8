/** Fifty clients that ask without end and read no answer, all at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Pair } from '../../adapters/ssh2/ground.js';
import type { Person } from '../../support/door.js';
import { figure, mebibytes } from '../../support/figures.js';
import { HostileClient } from '../../support/hostile/client.js';
import { residentBytes } from '../../support/machine.js';
import { MeasuredDoor } from '../../support/measured-door.js';
import { needs } from '../../support/programs.js';
import { channelRequest, message, MESSAGE, offer, openSession, string } from '../../support/ssh-bytes.js';
import { ALL_ARE_LET_IN, addressOf, closeAll, each, keyOf } from './crowd.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const MIB = 1024 ** 2;
const OF_EACH_KIND = 10;
const FLOOD_MS = IS_SOAK ? 120_000 : 10_000;
const LOOK_EVERY_MS = 50;
/** The default of GITMOUTH_UNREAD_BEFORE_LOGIN_KIB, and a quarter of that of GITMOUTH_UNREAD_KIB, which takes long to fill. */
const UNREAD_BYTES = { before: MIB / 4, after: IS_SOAK ? 4 * MIB : MIB };
/** What V8 and the allocator take under load, whatever is held. */
const SLACK_BYTES = 96 * MIB;
/** The clients' side of all these floods takes its share of the same processors. */
const SERVED_LIMIT_MS = 60_000;
const LIMIT_MS = 180_000 + FLOOD_MS;

interface Flood {
  readonly isLoggedIn: boolean;
  /** One of the messages without end. */
  make(key: Pair): Buffer;
}

/** Each asks for an answer. */
const FLOODS: Readonly<Record<string, Flood>> = {
  'service requests': { isLoggedIn: false, make: () => message(MESSAGE.SERVICE_REQUEST, string('ssh-userauth')) },
  'offers of a key': { isLoggedIn: false, make: ({ blob }) => offer({ algorithm: 'ssh-ed25519', blob }) },
  'global requests': { isLoggedIn: true, make: () => HostileClient.globalRequest() },
  'channel opens': { isLoggedIn: true, make: () => openSession(0) },
  'channel requests': { isLoggedIn: true, make: () => channelRequest(0, 'subsystem', true, string('sftp')) },
};

describe('fifty floods at once whose answers nobody reads', () => {
  const door = new MeasuredDoor({
    ...ALL_ARE_LET_IN,
    GITMOUTH_UNREAD_KIB: String(UNREAD_BYTES.after / 1024),
  });
  let person: Person;
  let key: Pair;
  let folder: string;

  beforeAll(async () => {
    await door.start();
    person = await door.person('ada');
    key = keyOf(await door.person('mallory'));
    folder = await person.repository();
    await person.must(folder, 'push', '-q', person.url('app'), 'main');
    for (let n = 0; n < 5; n += 1) await person.must(folder, 'ls-remote', person.url('app'));
  });

  afterAll(() => door.stop());

  /** Ready to flood, and deaf. */
  async function enter(flood: Flood, n: number): Promise<HostileClient> {
    const options = { from: addressOf(n) };
    const client = flood.isLoggedIn
      ? await HostileClient.logIn(door.port, key, options)
      : await HostileClient.connect(door.port, options);
    if (flood.isLoggedIn) await client.open(0);
    else client.requestService();
    client.pause();
    return client;
  }

  test(
    'hold no more than their limits allow, and others are served',
    async () => {
      const floods = Object.values(FLOODS).flatMap((flood) => Array.from({ length: OF_EACH_KIND }, () => flood));
      const before = await door.usage();
      const clients = await each(floods, enter);
      let most = 0;
      let isOver = false;
      const watching = (async () => {
        for (; !isOver; await sleep(LOOK_EVERY_MS)) most = Math.max(most, residentBytes(door.pid));
      })();
      const end = performance.now() + FLOOD_MS;
      const flooding = clients.map(async (client, n) => {
        const flood = floods[n];
        while (flood !== undefined && !client.isClosed && performance.now() < end)
          await client.flood(() => flood.make(key), 640);
      });
      const listings: number[] = [];
      while (performance.now() < end) {
        const since = performance.now();
        await person.must(folder, 'ls-remote', person.url('app'));
        listings.push(performance.now() - since);
      }
      await Promise.all(flooding);
      const cut = clients.filter((client) => client.isClosed).length;
      isOver = true;
      await watching;
      await closeAll(clients);
      await door.connectionsGone();

      const bound = floods.reduce(
        (sum, { isLoggedIn }) => sum + (isLoggedIn ? UNREAD_BYTES.after : UNREAD_BYTES.before),
        0,
      );
      const growth = most - before.residentBytes;
      listings.sort((a, b) => a - b);
      const worst = listings.at(-1) ?? NaN;
      const told = `${mebibytes(growth)} resident at most (the limits allow ${mebibytes(bound)}), ${cut} cut, ls-remote meanwhile ${(listings[Math.floor(listings.length / 2)] ?? NaN).toFixed(0)} ms, ${worst.toFixed(0)} ms at worst`;
      process.stdout.write(`load: fifty floods at once: ${told}\n`);
      figure('fifty floods at once', told);
      expect(growth).toBeLessThan(bound + SLACK_BYTES);
      // Those at least who offer keys without end.
      expect(cut).toBeGreaterThanOrEqual(OF_EACH_KIND);
      expect(worst).toBeLessThan(SERVED_LIMIT_MS);
    },
    LIMIT_MS,
  );
});
