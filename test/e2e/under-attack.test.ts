/** Attacks on the built program, by clients of another process; meanwhile somebody honest lists an app's refs. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pairOf, type Pair } from '../adapters/ssh2/ground.js';
import { Door, execute, until, type Person } from '../support/door.js';
import { HostileClient } from '../support/hostile/client.js';
import { kexInit } from '../support/hostile/key-exchange.js';
import { HostileWire } from '../support/hostile/wire.js';
import { needs } from '../support/programs.js';
import { MESSAGE, message, openSession, Reader, string, uint32 } from '../support/ssh-bytes.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');
const HONEST_ADDRESS = '127.0.0.2';
const SERVED_LIMIT_MS = 1_000;
const LISTINGS = 5;
const HUGE_WINDOW = 0xffff_ffff;
const FLOW_LIMIT_MS = 60_000;
const TOLD_LIMIT_MS = 20_000;
const LURE_BYTES = 32 * 1024 ** 2;

describe('while the door is attacked', () => {
  let door: Door;
  let honest: Person;
  let mallory: Person;
  let malloryKey: Pair;
  let tip: string;
  let calmMs: number;
  const clients: HostileClient[] = [];

  beforeEach(async () => {
    door = new Door();
    await door.start();
    honest = await door.person('honest');
    mallory = await door.person('mallory');
    malloryKey = pairOf(readFileSync(mallory.keyFile, 'utf8'));
    const work = await honest.repository();
    tip = await honest.must(work, 'rev-parse', 'HEAD');
    await honest.must(work, 'push', '--quiet', honest.url('app'), 'main');
    calmMs = await listingMs();
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
    await door.stop();
  });

  async function kept(coming: Promise<HostileClient>): Promise<HostileClient> {
    const client = await coming;
    clients.push(client);
    return client;
  }

  /** How long `git ls-remote` from another address takes: the median, as the machine has other things to do. */
  async function listingMs(): Promise<number> {
    const times: number[] = [];
    const environment = { ...honest.environment };
    environment['GIT_SSH_COMMAND'] += ` -o BindAddress=${HONEST_ADDRESS}`;
    for (let listing = 0; listing < LISTINGS; listing++) {
      const since = performance.now();
      const result = await execute('git', ['ls-remote', honest.url('app')], { env: environment });
      times.push(performance.now() - since);
      expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining(`${tip}\trefs/heads/main\n`) });
    }
    const from = door.events('login-succeeded').filter(({ user }) => user === 'honest');
    expect(from.at(-1)).toMatchObject({ address: HONEST_ADDRESS });
    return times.sort((a, b) => a - b)[(LISTINGS - 1) / 2] ?? Infinity;
  }

  /** Within a second, where it takes a quarter of one without any attack. */
  async function expectListed(): Promise<void> {
    expect(await listingMs()).toBeLessThan(Math.max(SERVED_LIMIT_MS, 4 * calmMs));
  }

  test('by a user with channels of packets of no size', async () => {
    // Attack: one log-in, one channel of a maximum packet size of 0, one command. On bare ssh2 the whole process stood
    // still until it was killed. gitmouth does not open the channel.
    const client = await kept(HostileClient.logIn(door.port, malloryKey));
    for (const packetSize of [0, 1, 255]) {
      client.send(openSession(0, { packetSize, window: HUGE_WINDOW }));
      const refusal = new Reader(await client.next(MESSAGE.CHANNEL_OPEN_FAILURE));
      expect([refusal.uint32(), refusal.uint32()]).toEqual([0, 4]);
    }
    await expectListed();
  });

  test('by a user whose clones come in the smallest packets there are, and by one who does not read', async () => {
    // Attack: clones in packets of 256 bytes and with windows of 4 GiB, over and over, and others that nobody reads. On
    // bare ssh2, with packets of 1 byte, an honest ls-remote took 6.7 to 9.3 s.
    const lure = await mallory.repository({ random: randomBytes(LURE_BYTES).toString('base64') });
    const lureTip = await mallory.must(lure, 'rev-parse', 'HEAD');
    await mallory.must(lure, 'push', '--quiet', mallory.url('lure'), 'main');
    const beginClone = async (packetSize: number) => {
      const client = await kept(HostileClient.logIn(door.port, malloryKey));
      const theirs = await client.open(0, { packetSize, window: HUGE_WINDOW });
      await client.exec(theirs, "git-upload-pack 'lure.git'");
      client.send(message(MESSAGE.CHANNEL_DATA, uint32(theirs), string(everything(lureTip))));
      return client;
    };
    (await beginClone(32 * 1024)).pause();
    const busy = await Promise.all([1, 2, 3, 4].map(() => beginClone(256)));
    for (const client of busy) client.discard();
    const read = () => busy.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
    await until(
      () => read() > LURE_BYTES / 16,
      FLOW_LIMIT_MS,
      () => `only ${read()} bytes of the clones have come`,
    );
    const before = read();
    await expectListed();
    expect(read() - before).toBeGreaterThan(LURE_BYTES / 16);
  });

  test('by strangers who take all the places that their address has, and ask all the time', async () => {
    // Attack: connections that never log in, as many as one address may have, each replaced when it is closed, while
    // others send what only users may. On bare ssh2 they stay for good, and are answered for good.
    let isOver = false;
    const knock = async () => {
      while (!isOver) {
        const client = await HostileClient.connect(door.port).catch(() => undefined);
        if (client === undefined) continue;
        clients.push(client);
        await client.flood(() => HostileClient.globalRequest(), 1_000);
        await client.close();
      }
    };
    await Promise.all(Array.from({ length: 31 }, () => kept(HostileClient.dial(door.port))));
    const knocking = knock();
    try {
      await expectListed();
    } finally {
      isOver = true;
      await knocking;
    }
    await until(
      () => clients.some(({ received }) => received.some(([type]) => type === MESSAGE.DISCONNECT)),
      TOLD_LIMIT_MS,
      () => 'nobody was turned away',
    );
  });

  test('by a user who asks for something all the time, over thirty connections', async () => {
    // Attack: requests of some fifty bytes that each want an answer, as fast as they are answered, and the answers are
    // read. Bare ssh2 handles all that have come, thousands on each connection, before it looks at anybody else: an
    // honest ls-remote took ten seconds. gitmouth handles one piece in each turn of the event loop, user after user.
    const flooding = await Promise.all(
      Array.from({ length: 30 }, () => kept(HostileClient.logIn(door.port, malloryKey))),
    );
    for (const client of flooding) {
      client.discard();
      void client.flood(() => HostileClient.globalRequest());
    }
    const answered = () => flooding.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
    const before = answered();
    await expectListed();
    expect(answered() - before).toBeGreaterThan(64 * 1024);
  });

  test('by strangers who have it compute key exchanges all the time, and compute nothing themselves', async () => {
    // Attack (CVE-2002-20001, "D(HE)at"): begin the costliest key exchange on offer and send any number as the public
    // value: a few hundred bytes from the stranger, milliseconds of the server, in which Node does nothing else. Bare
    // ssh2 computes all that have come before it looks at anybody else. gitmouth handles one piece of a stranger's in
    // each turn of the event loop, source after source, and leaves out group18, which costs seven times as much.
    const KEXDH_REPLY = 31;
    const number = Buffer.concat([Buffer.from([0x7f]), randomBytes(511)]);
    let isOver = false;
    let computed = 0;
    const knock = async () => {
      while (!isOver) {
        const wire = await HostileWire.dial(door.port);
        const isAnswered = new Promise<void>((resolve) => {
          wire.socket.once('close', resolve);
          wire.consume = ([type]) => {
            if (type !== KEXDH_REPLY) return false;
            computed += 1;
            resolve();
            return true;
          };
        });
        wire.raw('SSH-2.0-hostile\r\n');
        const offer = kexInit({ kex: ['diffie-hellman-group16-sha512'] });
        wire.send(offer, message(MESSAGE.KEX_ECDH_INIT, string(number)));
        await isAnswered;
        wire.socket.destroy();
      }
    };
    const knocking = Array.from({ length: 30 }, knock);
    try {
      await expectListed();
    } finally {
      isOver = true;
      await Promise.all(knocking);
    }
    expect(computed).toBeGreaterThan(100);
  });
});

/** What a client of protocol version 0 asks for to have all of a commit. */
function everything(tip: string): string {
  const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
  return `${line(`want ${tip} ofs-delta side-band-64k\n`)}0000${line('done\n')}`;
}
