/**
 * Clients that leave while git is at work (weakness 9 of docs/hardening.md), many at once. One by one, and with
 * real processes behind the door, it is shown in ../channel.test.ts ("a client that leaves"), in the transports'
 * contract and in test/e2e/aborts.test.ts; that a killed command is no success (16) in ../channel.test.ts ("the end of
 * a command is told"), the bridge's tests and test/e2e/aborts.test.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '../../../../src/contracts/contract.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { MESSAGE, message, Reader, uint32 } from '../../../support/ssh-bytes.js';
import { AttackGround } from './attack-ground.js';
import { Transfer } from './transfer.js';

const CLIENTS = 20;
const HUGE_WINDOW = 0xffff_ffff;

let door: AttackGround;
let transfers: Transfer[];

beforeEach(async () => {
  door = await AttackGround.open();
  transfers = [];
  // A git that never looks up from its output: it learns that its client has left by its write, or not at all.
  door.command = async ({ channel }) => void transfers.push(Transfer.begin(channel));
});

afterEach(() => door.close());

/** Many, each with a git that waits for it to read. */
async function stalledClients(window: number) {
  const stalled: { client: HostileClient; theirs: number }[] = [];
  for (let count = 0; count < CLIENTS; count++) {
    const client = await door.logIn();
    const theirs = await client.open(0, { window });
    await client.exec(theirs);
    client.pause();
    stalled.push({ client, theirs });
  }
  await until(areAllStalled, 'every git is stalled');
  return stalled;
}

/** Nothing has been taken of any of them for a while. */
async function areAllStalled(): Promise<boolean> {
  const sent = () => transfers.map((transfer) => transfer.sent).join();
  const before = sent();
  await sleep(100);
  return sent() === before && transfers.every(({ isBlocked }) => isBlocked);
}

test.each([
  // Attack: clone, stop reading, and reset the connection; or let it drop, as trains do. It costs one clone. Bare ssh2
  // never calls back a write to a channel that is not open any more: 40 of 40 clones left 80 processes with 6 files each,
  // for good. gitmouth ends every write, so that whoever waits for it can clean up.
  ['reset their connections', HUGE_WINDOW, ({ client }: Stalled) => client.socket.resetAndDestroy()],
  ['end their side', HUGE_WINDOW, ({ client }: Stalled) => client.socket.end()],
  [
    'close their channels',
    1024,
    ({ client, theirs }: Stalled) => client.send(message(MESSAGE.CHANNEL_CLOSE, uint32(theirs))),
  ],
  ['say goodbye', 1024, ({ client }: Stalled) => client.send(message(MESSAGE.DISCONNECT, ...[11, 0, 0].map(uint32)))],
])('clients that %s while git waits for them leave nothing that waits on', async (_how, window, leave) => {
  for (const stalled of await stalledClients(window)) leave(stalled);
  await door.expectHonestServed();
  await until(() => transfers.every(({ isFreed }) => isFreed), 'every git is freed');
});

type Stalled = Awaited<ReturnType<typeof stalledClients>>[number];

test('a git that was killed is told of as killed, and never as a success', async () => {
  // No attack (weakness 16): the usual `code || 0` of programs on ssh2 makes a success of a killed push.
  door.command = async ({ channel }) => channel.finish({ words: '', exit: { signal: 'KILL' } });
  const client = await door.logIn();
  await client.exec(await client.open());
  const request = new Reader(await client.next(MESSAGE.CHANNEL_REQUEST));
  expect([request.uint32(), request.text(), request.byte(), request.text()]).toEqual([0, 'exit-signal', 0, 'KILL']);
  await client.next(MESSAGE.CHANNEL_CLOSE);
  expect(client.count(MESSAGE.CHANNEL_REQUEST)).toBe(1);
});
