/** What sessions cost that wait for a dyno and have sent all they may. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Pair } from '../../adapters/ssh2/ground.js';
import { until } from '../../support/door.js';
import { figure } from '../../support/figures.js';
import { HostileClient } from '../../support/hostile/client.js';
import { MeasuredDoor, type Usage } from '../../support/measured-door.js';
import { needs } from '../../support/programs.js';
import { channelRequest, message, MESSAGE, string, uint32 } from '../../support/ssh-bytes.js';
import { ALL_ARE_LET_IN, ALL_ARE_WAITED_FOR, addressOf, closeAll, each, keyOf } from './crowd.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const KIB = 1024;
const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
/** As many as the queue for dynos has places, nearly. */
const CONNECTIONS = IS_SOAK ? 12 : 10;
const SESSIONS = 10;
const WAITING = CONNECTIONS * SESSIONS;
/** What may be sent to a session that nobody reads. */
const FIRST_WINDOW_BYTES = 64 * KIB;
const PIECE_BYTES = 16 * KIB;
/** The window, and as much again for what is kept around it. */
const MOST_BYTES = 2 * FIRST_WINDOW_BYTES;
const LIMIT_MS = 60_000;

describe('a hundred sessions that wait for a dyno', () => {
  const door = new MeasuredDoor({
    ...ALL_ARE_LET_IN,
    ...ALL_ARE_WAITED_FOR,
    GITMOUTH_DYNOS: '1',
    GITMOUTH_DYNO_QUEUE_SECONDS: '600',
  });
  const clients: HostileClient[] = [];
  let key: Pair;
  let before: Usage;

  beforeAll(async () => {
    await door.start();
    const person = await door.person('ada');
    key = keyOf(person);
    const folder = await person.repository();
    await person.must(folder, 'push', '-q', person.url('app'), 'main');
    // The one dyno there is, held by somebody who says nothing.
    const holder = await HostileClient.logIn(door.port, key);
    clients.push(holder);
    await holder.exec(await holder.open(0), "git-upload-pack 'app.git'");
    await holder.next(MESSAGE.CHANNEL_DATA);
    before = await door.usage();
  }, LIMIT_MS);

  afterAll(async () => {
    await closeAll(clients);
    await door.stop();
  });

  async function fill(_: unknown, n: number): Promise<void> {
    const client = await HostileClient.logIn(door.port, key, { from: addressOf(n) });
    clients.push(client);
    for (let session = 0; session < SESSIONS; session += 1) {
      const channel = await client.open(session);
      await client.exec(channel, "git-upload-pack 'app.git'");
      for (let sent = 0; sent < FIRST_WINDOW_BYTES; sent += PIECE_BYTES) {
        client.send(message(MESSAGE.CHANNEL_DATA, uint32(channel), string(Buffer.alloc(PIECE_BYTES))));
      }
      // An answer to it says that what was sent before has been taken.
      client.send(channelRequest(channel, 'subsystem', true, string('none')));
      await client.next(MESSAGE.CHANNEL_FAILURE);
    }
  }

  test(
    'hold their first window and little more',
    async () => {
      await each(Array.from({ length: CONNECTIONS }), fill);
      const now = await door.usage();
      const held = (now.heldBytes - before.heldBytes) / WAITING;
      const resident = (now.residentBytes - before.residentBytes) / WAITING;
      const told = `${(held / KIB).toFixed(1)} KiB of objects and buffers, ${(resident / KIB).toFixed(1)} KiB resident`;
      process.stdout.write(`load: a session that waits with its window full: ${told}\n`);
      figure('a session that waits for a dyno, its first window full', told);
      expect(held).toBeGreaterThan(FIRST_WINDOW_BYTES / 2);
      expect(held).toBeLessThan(MOST_BYTES);
    },
    LIMIT_MS,
  );

  test('are cut for one byte more', async () => {
    const client = clients.at(-1);
    client?.send(message(MESSAGE.CHANNEL_DATA, uint32(0), string('x')));
    await until(
      () => client?.isClosed === true,
      LIMIT_MS,
      () => 'more than the window is taken',
    );
  });
});
