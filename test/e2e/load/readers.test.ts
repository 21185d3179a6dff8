/** What clients cost that ask for much and then read nothing. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Pair } from '../../adapters/ssh2/ground.js';
import { until } from '../../support/door.js';
import { figure, mebibytes } from '../../support/figures.js';
import { HostileClient } from '../../support/hostile/client.js';
import { MeasuredDoor, type Look, type Usage } from '../../support/measured-door.js';
import { needs } from '../../support/programs.js';
import { message, MESSAGE, string, uint32 } from '../../support/ssh-bytes.js';
import { addBytes } from './big-repository.js';
import { ALL_ARE_LET_IN, addressOf, closeAll, each, keyOf } from './crowd.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const MIB = 1024 ** 2;
const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const READERS = 100;
const CLONE_BYTES = (IS_SOAK ? 128 : 16) * MIB;
const READ_BYTES = 256 * 1024;
const HUGE_WINDOW = 0x7fff_ffff;
/** For each: what waits for the socket (256 KiB), what waits for that, and a pipe's worth from git. */
const MOST_BYTES = MIB;
/** Of all of them together, when they have left. */
const MOST_LEFT_BYTES = 4 * MIB;
const SLACK_BYTES = 48 * MIB;
const LIMIT_MS = 180_000;

describe('a hundred readers that stop in the middle of a clone', () => {
  const door = new MeasuredDoor({ ...ALL_ARE_LET_IN, GITMOUTH_DYNOS: '200', GITMOUTH_DYNOS_PER_USER: '200' });
  const clients: HostileClient[] = [];
  let key: Pair;
  let before: Usage;
  let calm: Look;

  beforeAll(async () => {
    await door.start();
    const person = await door.person('ada');
    key = keyOf(person);
    const folder = await person.repository();
    await addBytes(folder, person, CLONE_BYTES);
    await person.must(folder, 'push', '-q', person.url('big'), 'main');
    for (let n = 0; n < 5; n += 1) await person.must(folder, 'ls-remote', person.url('big'));
    await door.connectionsGone();
    before = await door.usage();
    calm = door.look();
    const tip = await person.must(folder, 'rev-parse', 'main');
    await each(Array.from({ length: READERS }), (_, n) => startReading(tip, n));
  }, LIMIT_MS);

  afterAll(async () => {
    await closeAll(clients);
    await door.stop();
  });

  /** Begins a clone with a window that never ends, and stops reading when some of it has come. */
  async function startReading(tip: string, n: number): Promise<void> {
    const client = await HostileClient.logIn(door.port, key, { from: addressOf(n) });
    clients.push(client);
    const channel = await client.open(0, { window: HUGE_WINDOW });
    await client.exec(channel, "git-upload-pack 'big.git'");
    let read = 0;
    client.consume = (payload) => {
      if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
      read += payload.length;
      if (read > READ_BYTES) client.pause();
      return true;
    };
    const want = `want ${tip} side-band-64k agent=stopper\n`;
    const line = `${(want.length + 4).toString(16).padStart(4, '0')}${want}00000009done\n`;
    client.send(message(MESSAGE.CHANNEL_DATA, uint32(channel), string(line)));
    await until(
      () => read > READ_BYTES || client.isClosed,
      LIMIT_MS,
      () => `only ${read} bytes came`,
    );
    expect(client.isClosed).toBe(false);
  }

  test(
    `hold less than ${MOST_BYTES / MIB} MiB each`,
    async () => {
      // All that git has to say is said, or waits.
      let last = 0;
      await until(
        () => {
          const now = door.look().residentBytes;
          const isCalm = Math.abs(now - last) < MIB;
          last = now;
          return isCalm;
        },
        LIMIT_MS,
        () => 'the memory does not come to rest',
      );
      const now = await door.usage();
      const held = now.heldBytes - before.heldBytes;
      const resident = now.residentBytes - before.residentBytes;
      const { children } = door.look();
      const told = `${mebibytes(held / READERS)} held, ${mebibytes(resident / READERS)} resident`;
      process.stdout.write(`load: a reader that has stopped: ${told}\n`);
      figure(`a reader that has stopped in the middle of a clone (of ${READERS})`, told);
      expect(children).toBeGreaterThan(READERS);
      expect(held).toBeGreaterThan(0);
      expect(held).toBeLessThan(READERS * MOST_BYTES);
      expect(resident).toBeLessThan(READERS * MOST_BYTES + SLACK_BYTES);
    },
    LIMIT_MS,
  );

  test(
    'leave no process, descriptor or memory behind',
    async () => {
      await closeAll(clients.splice(0));
      await door.connectionsGone();
      await until(
        () => door.look().children <= calm.children && door.look().descriptors <= calm.descriptors + 2,
        LIMIT_MS,
        () => `left: ${JSON.stringify(door.look())}, before: ${JSON.stringify(calm)}`,
      );
      // The last to leave are let go of a moment after their processes have ended.
      let left = Infinity;
      for (let look = 0; look < 10 && left >= MOST_LEFT_BYTES; look++) {
        left = (await door.usage()).heldBytes - before.heldBytes;
      }
      figure(`after ${READERS} stopped readers have left, held more than before`, mebibytes(left));
      expect(left).toBeLessThan(MOST_LEFT_BYTES);
    },
    LIMIT_MS,
  );
});
