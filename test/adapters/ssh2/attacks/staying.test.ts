/** Users who stay without doing anything, and lines that are dead: a place is held for neither. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { until } from '../../../../src/contracts/contract.js';
import { MESSAGE, message } from '../../../support/ssh-bytes.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import type { Request } from '../ground.js';
import { AttackGround, expectTurnedAway, REASON } from './attack-ground.js';

let door: AttackGround;

afterEach(() => door.close());

/** A command that says nothing, until its client has left. */
function runSilently({ channel }: Request): Promise<void> {
  return new Promise((resolve) => {
    channel.gone.addEventListener('abort', () => {
      resolve();
    });
  });
}

/** How long the server kept the connection, in milliseconds. */
async function keptMs(): Promise<number> {
  const closed = () => door.inside.observer.ofType('connection-closed');
  await until(() => closed().length > 0, 'the connection is closed');
  return closed()[0]?.durationMs ?? NaN;
}

describe('a connection on which nothing runs', () => {
  // Attack: log in and stay, with as many connections as one may have. It costs an answer to a keepalive now and then.
  // Bare ssh2 keeps them for good. gitmouth ends them after `idleMs`, and says why.
  const idleMs = 600;

  async function visit(): Promise<HostileClient> {
    door = await AttackGround.open({ idleMs });
    return door.logIn();
  }

  test('is ended when its time is over', async () => {
    const client = await visit();
    await expectTurnedAway(client, REASON.BY_APPLICATION, 'idle');
    expect(await keptMs()).toBeGreaterThanOrEqual(idleMs);
  });

  test('is ended although a session without a command is open', async () => {
    const client = await visit();
    await client.open();
    await expectTurnedAway(client, REASON.BY_APPLICATION, 'idle');
  });

  test('has its time anew after each command, and none goes by while one runs', async () => {
    const client = await visit();
    let isOver = false;
    door.command = async ({ channel }) => {
      await new Promise((resolve) => setTimeout(resolve, 2 * idleMs));
      isOver = true;
      await channel.finish({ words: '', exit: { code: 0 } });
    };
    await client.exec(await client.open());
    await client.next(MESSAGE.CHANNEL_CLOSE);
    expect(isOver).toBe(true);
    await expectTurnedAway(client, REASON.BY_APPLICATION, 'idle');
    expect(await keptMs()).toBeGreaterThanOrEqual(3 * idleMs);
  });
});

describe('a client that is asked whether it is still there', () => {
  // Attack, or a laptop that was shut: hold a running command and answer nothing.
  const keepaliveMs = 200;
  const keepaliveMisses = 2;

  async function visit(isAnswering: boolean): Promise<HostileClient> {
    door = await AttackGround.open({ keepaliveMs, keepaliveMisses });
    door.command = runSilently;
    const client = await door.logIn();
    client.consume = ([type]) => {
      if (type !== MESSAGE.GLOBAL_REQUEST) return false;
      if (isAnswering) client.send(message(MESSAGE.REQUEST_FAILURE));
      return true;
    };
    await client.exec(await client.open());
    return client;
  }

  test('and does not answer is given up, and its command with it', async () => {
    const client = await visit(false);
    await expectTurnedAway(client, REASON.BY_APPLICATION, 'keepalive-timeout');
    const ms = await keptMs();
    expect(ms).toBeGreaterThanOrEqual((keepaliveMisses + 1) * keepaliveMs);
    expect(ms).toBeLessThan(20 * keepaliveMs);
  });

  test('and answers stays, however silent its command is', async () => {
    const client = await visit(true);
    await new Promise((resolve) => setTimeout(resolve, 8 * keepaliveMs));
    expect(client.isClosed).toBe(false);
    expect(door.inside.observer.ofType('connection-closed')).toEqual([]);
  });
});
