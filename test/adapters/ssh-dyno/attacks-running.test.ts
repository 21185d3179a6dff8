/** What a hostile dyno may try while its command runs, on whoever joins it to a client. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { DynoSession } from '../../../src/ports/transport.js';
import { rejectionOf, until, within } from '../../../src/contracts/contract.js';
import { read, write, writeUntilStalled } from '../../../src/contracts/dyno-driver.js';
import { usedBytes } from '../../support/garbage.js';
import type { DynoWire } from '../../support/ssh-dyno/hostile-dyno.js';
import { boolean, MESSAGE, message, Reader, string, uint32 } from '../../support/ssh-bytes.js';
import { AttackGround } from './attack-ground.js';
import { MIB } from './ground.js';

const PIECE_BYTES = 32 * 1024;
const WINDOW_BYTES = 2 * MIB;
const HUGE_WINDOW = 0xffff_ffff;
const LOOKS = 300;

let ground: AttackGround | undefined;

afterEach(async () => {
  await ground?.close();
  ground = undefined;
});

/** A running command, whose dyno does this. */
async function attacked(
  attack: (wire: DynoWire) => Promise<void> | void,
  more: Parameters<AttackGround['open']>[0] = {},
  room: Parameters<DynoWire['serve']>[0] = {},
): Promise<DynoSession> {
  let begin = () => undefined as void;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  ground = await AttackGround.start(async (wire) => {
    await wire.serve(room);
    await begun;
    await attack(wire);
  });
  const session = await ground.open(more);
  begin();
  return session;
}

/** Why the session was lost. */
async function lostBy(
  attack: (wire: DynoWire) => Promise<void> | void,
  more: Parameters<AttackGround['open']>[0] = {},
) {
  const session = await attacked(attack, more);
  return (await ground?.lost(session)) ?? '';
}

/** The dyno reads nothing of the connection any more. */
const deaf = (wire: DynoWire) => wire.pause();

describe('data', () => {
  test.each([
    ['output', (wire: DynoWire, bytes: number) => wire.data(Buffer.alloc(bytes))],
    ['error output', (wire: DynoWire, bytes: number) => wire.errorData(Buffer.alloc(bytes))],
    ['data of another kind', (wire: DynoWire, bytes: number) => wire.errorData(Buffer.alloc(bytes), 9)],
  ])('up to the window is taken, and one byte of %s past it ends the session', async (_what, make) => {
    // Attack: send on without regard to the window. Bare ssh2 refuses data at a window of exactly 0 alone.
    let isFull = false;
    const reason = await lostBy(async (wire) => {
      for (let sent = 0; sent < WINDOW_BYTES; sent += PIECE_BYTES) wire.send(wire.data(Buffer.alloc(PIECE_BYTES)));
      wire.send(wire.request('nothing', true));
      await wire.next(MESSAGE.CHANNEL_FAILURE);
      isFull = true;
      wire.send(make(wire, 1));
    });
    expect([isFull, reason]).toEqual([true, expect.stringContaining('window-exceeded')]);
  });

  test('is granted no more of than was read, whichever output it came by', async () => {
    // Attack: fill the output that nobody reads as long as the other one is read. Bare ssh2 grants the whole window for
    // every read of either.
    let granted = WINDOW_BYTES;
    let sent = 0;
    const session = await attacked(async (wire) => {
      wire.consume = (payload) => {
        if (payload[0] !== MESSAGE.CHANNEL_WINDOW_ADJUST) return false;
        granted += new Reader(payload, 5).uint32();
        return true;
      };
      while (!wire.isClosed && sent < 16 * MIB) {
        const piece =
          sent % (2 * PIECE_BYTES) === 0
            ? wire.data(Buffer.alloc(PIECE_BYTES))
            : wire.errorData(Buffer.alloc(PIECE_BYTES));
        if (sent + PIECE_BYTES > granted) await new Promise((resolve) => setTimeout(resolve, 5));
        else {
          wire.send(piece);
          sent += PIECE_BYTES;
        }
      }
    });
    session.stdout.resume();
    await until(
      stoppedChanging(() => sent),
      'it may send no more',
    );
    // As much is on its way to the reader as to nobody.
    expect(sent).toBeLessThanOrEqual(2 * WINDOW_BYTES + PIECE_BYTES);
    session.stderr.resume();
    await until(() => sent === 16 * MIB, 'all was sent');
  });

  test('of one byte at a time holds no more than what it is', async () => {
    // Attack: a byte in each message. Kept as it came, each would be an object of its own, and pin what it came with.
    const before = await usedBytes();
    let isSent = false;
    const session = await attacked(async (wire) => {
      await wire.flood(() => wire.data('x'), WINDOW_BYTES / 32);
      wire.send(wire.request('nothing', true));
      await wire.next(MESSAGE.CHANNEL_FAILURE);
      isSent = true;
    });
    await until(() => isSent, 'all was taken', undefined, 30_000);
    expect((await usedBytes()) - before).toBeLessThan(4 * MIB);
    const reading = read(session.stdout);
    ground?.wire.send(ground.wire.end());
    expect(await reading).toEqual(Buffer.alloc(WINDOW_BYTES / 32, 'x'));
  });

  test.each([
    ['behind its end', (wire: DynoWire) => [wire.end(), wire.data('x')]],
    ['for standard error, behind the end', (wire: DynoWire) => [wire.end(), wire.errorData('x')]],
    ['for a channel there is none of', () => [message(MESSAGE.CHANNEL_DATA, uint32(5), string('x'))]],
  ])('%s ends the session', async (_what, make) => {
    expect(await lostBy((wire) => wire.send(...make(wire)))).toContain('message-out-of-place');
  });

  test.each([
    ['data', (wire: DynoWire) => message(MESSAGE.CHANNEL_DATA, uint32(wire.client), uint32(99))],
    ['a request', (wire: DynoWire) => message(MESSAGE.CHANNEL_REQUEST, uint32(wire.client), uint32(0xffff_ffff))],
    ['an exit status', (wire: DynoWire) => wire.request('exit-status', false)],
    ['an exit signal', (wire: DynoWire) => wire.request('exit-signal', false, uint32(7))],
    ['a window', (wire: DynoWire) => message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(wire.client))],
    ['an end', () => message(MESSAGE.CHANNEL_EOF)],
    ['a global request', () => message(MESSAGE.GLOBAL_REQUEST, string('x'))],
    ['a channel to open', () => message(MESSAGE.CHANNEL_OPEN, string('x'))],
  ])('%s that is cut short ends the session, and nothing else', async (_what, make) => {
    expect(await lostBy((wire) => wire.send(make(wire)))).toContain('broken-protocol');
  });
});

describe('a dyno that does not read', () => {
  test('the connection, with a window without end, stops the writer', async () => {
    // Attack: grant 4 GiB and read nothing. Bare ssh2 takes it all, and keeps it.
    const session = await attacked(deaf, {}, { window: HUGE_WINDOW });
    const before = await usedBytes();
    await writeUntilStalled(session.stdin, 16 * MIB);
    expect((await usedBytes()) - before).toBeLessThan(2 * MIB);
  });

  test('a key exchange that it began stops the writer, and ends with its time', async () => {
    // Attack: a KEXINIT and nothing more, so that all output waits for new keys.
    const session = await attacked(
      (wire) => void wire.beginKeyExchange(),
      { keyExchangeMs: 1_500 },
      { window: HUGE_WINDOW },
    );
    const before = await usedBytes();
    await writeUntilStalled(session.stdin, 16 * MIB);
    expect((await usedBytes()) - before).toBeLessThan(2 * MIB);
    expect(await ground?.lost(session)).toContain('key exchange took too long');
  });

  test('answers to what it asks has them up to a limit', async () => {
    // Attack: ask without end, and read none of the answers. They are written whether anybody takes them or not.
    const ask = message(MESSAGE.CHANNEL_OPEN, string(''), ...[1, 2, 3].map(uint32));
    const session = await attacked(
      (wire) => {
        deaf(wire);
        return wire.flood(() => ask);
      },
      { unreadBytes: 256 * 1024 },
    );
    const fault = await within(
      session.exit.catch((error: unknown) => error),
      'the end',
      60_000,
    );
    expect(String(fault)).toContain('does not read');
  }, 90_000);
});

describe('the writer', () => {
  test('sends packets of no more than 32 KiB, whatever the dyno says it takes', async () => {
    let [taken, largest] = [0, 0];
    const session = await attacked(
      (wire) => {
        wire.consume = (payload) => {
          if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
          taken += payload.length - 9;
          largest = Math.max(largest, payload.length - 9);
          return true;
        };
      },
      {},
      { packetSize: HUGE_WINDOW, window: HUGE_WINDOW },
    );
    await write(session.stdin, Buffer.alloc(MIB));
    await until(() => taken === MIB, 'all has come');
    expect(largest).toBe(PIECE_BYTES);
  });

  test('finds a window that was opened in the same breath as the channel', async () => {
    let taken = 0;
    const session = await attacked(
      (wire) => {
        wire.consume = (payload) => {
          if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
          taken += payload.length - 9;
          return true;
        };
      },
      {},
      { window: 0, more: PIECE_BYTES },
    );
    session.stdin.write(Buffer.alloc(PIECE_BYTES));
    await until(() => taken === PIECE_BYTES, 'it is used');
  });

  test('sends every byte once, at whatever pace the window opens', async () => {
    // ssh2 writes a piece twice that had to wait for the window, at the next stall.
    const taken: Buffer[] = [];
    const sizes = [1, 5, 70_000, 3, 200_000, 1_000, 40_000];
    const session = await attacked(
      async (wire) => {
        wire.consume = (payload) => {
          if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
          taken.push(payload.subarray(9));
          return true;
        };
        for (const bytes of sizes) {
          const due = Buffer.concat(taken).length + bytes;
          wire.send(message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(wire.client), uint32(bytes)));
          await until(() => Buffer.concat(taken).length === due, 'the window is used');
        }
      },
      {},
      { window: 0 },
    );
    const bytes = Buffer.from(Array.from({ length: 400_000 }, (_, at) => (at * 31) % 251));
    session.stdin.end(bytes);
    const all = sizes.reduce((sum, size) => sum + size, 0);
    await until(() => Buffer.concat(taken).length === all, 'all windows are used');
    expect(Buffer.concat(taken).equals(bytes.subarray(0, all))).toBe(true);
  });
});

describe('the exit', () => {
  const bye = (wire: DynoWire) => [wire.end(), wire.closeChannel()];

  test('is what was told first', async () => {
    const session = await attacked((wire) => {
      wire.send(
        wire.exitStatus(1),
        wire.exitStatus(0),
        wire.request('exit-signal', false, string('KILL'), boolean(false), string(''), string('')),
        ...bye(wire),
      );
    });
    expect(await session.exit).toEqual({ kind: 'code', code: 1 });
  });

  test.each([256, 65_536, 0xffff_ffff])(
    'of a status of %i, which a client would cut to a byte, is none of success',
    async (status) => {
      const session = await attacked((wire) => wire.send(wire.exitStatus(status), ...bye(wire)));
      expect(await session.exit).toEqual({ kind: 'code', code: 255 });
    },
  );

  test('behind the close is not heard', async () => {
    const session = await attacked((wire) => wire.send(...bye(wire), wire.exitStatus(0)));
    expect(String(await rejectionOf(session.exit))).toContain('without telling how the command ended');
  });

  test('by a signal that has no name is a fault, with the name it was given', async () => {
    const parts = [string('SIG@openssh.com'), boolean(false), string(''), string('')];
    const session = await attacked((wire) => wire.send(wire.request('exit-signal', false, ...parts), ...bye(wire)));
    const fault = await rejectionOf(session.exit);
    expect(fault).toMatchObject({ code: 'GM_BAD_ANSWER', stage: 'run' });
    expect(String(fault)).toContain('"SIG@openssh.com"');
  });

  test('by a signal that has the name of a secret is told without it', async () => {
    ground = await AttackGround.start(async (wire) => {
      await wire.serve();
      const parts = [string('hunter-2'), boolean(false), string(''), string('')];
      wire.send(wire.request('exit-signal', false, ...parts), ...bye(wire));
    });
    const session = await ground.open({}, { environment: { TOKEN: 'hunter-2' }, secrets: ['TOKEN'] });
    const fault = String(await rejectionOf(session.exit));
    expect(fault).toContain('***');
    expect(fault).not.toContain('hunter-2');
  });

  test('by BUS, which has a domain behind it, is that signal', async () => {
    const parts = [string('BUS@openssh.com'), boolean(true), string(''), string('')];
    const session = await attacked((wire) => wire.send(wire.request('exit-signal', false, ...parts), ...bye(wire)));
    expect(await session.exit).toEqual({ kind: 'signal', signal: 'BUS' });
  });

  test('is no success while output is still to come and the line is cut', async () => {
    // Attack, or bad luck: status 0, half of the pack, and then nothing more.
    const reason = await lostBy((wire) => {
      wire.send(wire.data('half'), wire.exitStatus(0));
      wire.socket.end();
    });
    expect(reason).toContain('it closed the connection');
  });

  test('is lost when the dyno resets the connection, and its streams end', async () => {
    const session = await attacked((wire) => {
      wire.send(wire.data('half'));
      wire.socket.resetAndDestroy();
    });
    const output = read(session.stdout);
    const written = new Promise((resolve) => session.stdin.write(Buffer.alloc(8 * MIB), resolve));
    expect(await ground?.lost(session)).toContain('the way to the dyno was lost');
    await within(Promise.all([output, written]), 'the streams');
  });
});

describe('what no dyno may', () => {
  test.each(['x11', 'auth-agent@openssh.com', 'forwarded-tcpip', 'forwarded-streamlocal@openssh.com', 'session', ''])(
    'open a channel of the type %p, and the session goes on',
    async (type) => {
      // Attack: use gitmouth as a way to other machines, to an agent's keys, or to the files of its own machine.
      let answer: Buffer | undefined;
      const session = await attacked(async (wire) => {
        const target = Buffer.concat([string('127.0.0.1'), uint32(22), string('127.0.0.1'), uint32(1)]);
        wire.send(message(MESSAGE.CHANNEL_OPEN, string(type), uint32(3), uint32(9), uint32(9), target));
        answer = await wire.next(MESSAGE.CHANNEL_OPEN_FAILURE, MESSAGE.CHANNEL_OPEN_CONFIRMATION);
        wire.send(wire.exitStatus(0), wire.end(), wire.closeChannel());
      });
      expect(await session.exit).toEqual({ kind: 'code', code: 0 });
      expect(answer?.[0]).toBe(MESSAGE.CHANNEL_OPEN_FAILURE);
    },
  );

  test('prove other host keys, or learn anything by a global request', async () => {
    const session = await attacked(async (wire) => {
      wire.send(message(MESSAGE.GLOBAL_REQUEST, string('hostkeys-00@openssh.com'), boolean(true), string('no key')));
      await wire.next(MESSAGE.REQUEST_FAILURE);
      wire.send(message(MESSAGE.GLOBAL_REQUEST, string('tcpip-forward'), boolean(true), string('0.0.0.0'), uint32(0)));
      await wire.next(MESSAGE.REQUEST_FAILURE);
      wire.send(wire.exitStatus(0), wire.end(), wire.closeChannel());
    });
    expect(await session.exit).toEqual({ kind: 'code', code: 0 });
  });

  test.each([
    ['an answer to no request', (wire: DynoWire) => message(MESSAGE.CHANNEL_SUCCESS, uint32(wire.client))],
    [
      'a second opening',
      (wire: DynoWire) => message(MESSAGE.CHANNEL_OPEN_CONFIRMATION, ...[wire.client, 9, 9, 999].map(uint32)),
    ],
    ['a banner', () => message(MESSAGE.USERAUTH_BANNER, string('x'), string(''))],
    ['a second success', () => message(MESSAGE.USERAUTH_SUCCESS)],
    ['a failure', () => message(MESSAGE.USERAUTH_FAILURE, string('publickey'), boolean(true))],
    ['new keys from nowhere', () => message(MESSAGE.NEWKEYS)],
  ])('send %s', async (_what, make) => {
    expect(await lostBy((wire) => wire.send(make(wire)))).toContain('message-out-of-place');
  });

  test('exchange keys without end', async () => {
    // Attack: each exchange costs a dyno nothing but made-up numbers, and gitmouth milliseconds.
    const reason = await lostBy(async (wire) => {
      while (!wire.isClosed) await wire.exchangeKeys();
    });
    expect(reason).toContain('too-many-key-exchanges');
  });

  test('keep a session open by closing nothing', async () => {
    // Attack: ignore TERM and KILL, and answer keepalives for ever.
    const session = await attacked(() => undefined);
    const since = performance.now();
    await session.close();
    expect(performance.now() - since).toBeLessThan(3_000);
    expect(await ground?.lost(session)).toBeDefined();
    const asked = ground?.wire.received.filter(([type]) => type === MESSAGE.CHANNEL_REQUEST).slice(-2);
    expect(
      asked?.map((payload) => new Reader(payload, 5)).map((fields) => [fields.text(), fields.byte(), fields.text()]),
    ).toEqual([
      ['signal', 0, 'TERM'],
      ['signal', 0, 'KILL'],
    ]);
  });

  test('hold up a close by more output than anybody reads', async () => {
    let isFull = false;
    const session = await attacked(
      async (wire) => {
        for (let sent = 0; sent < WINDOW_BYTES; sent += PIECE_BYTES) wire.send(wire.data(Buffer.alloc(PIECE_BYTES)));
        wire.send(wire.request('nothing', true));
        await wire.next(MESSAGE.CHANNEL_FAILURE);
        isFull = true;
        await until(() => wire.received.some((payload) => payload.includes('TERM')), 'it is asked to end');
        // It has more to say before it can: what did not fit into the window, and then some.
        let room = 0;
        for (let sent = 0; sent < 8 * MIB; sent += PIECE_BYTES) {
          while (room < PIECE_BYTES) room += new Reader(await wire.next(MESSAGE.CHANNEL_WINDOW_ADJUST), 5).uint32();
          room -= PIECE_BYTES;
          wire.send(wire.data(Buffer.alloc(PIECE_BYTES)));
        }
        wire.send(wire.exitStatus(143));
      },
      { graceMs: 10_000 },
    );
    await until(() => isFull, 'the window is used up');
    const before = await usedBytes();
    await within(session.close(), 'close');
    expect(await session.exit).toEqual({ kind: 'code', code: 143 });
    expect((await usedBytes()) - before).toBeLessThan(6 * MIB);
  });
});

test('a dyno that has gone silent is given up after so many keepalives, and one that answers anything is not', async () => {
  let isDead = false;
  const session = await attacked(
    async (wire) => {
      for (let answered = 0; answered < 5; answered += 1) {
        await wire.next(MESSAGE.GLOBAL_REQUEST);
        wire.send(answered % 2 === 0 ? message(MESSAGE.REQUEST_FAILURE) : message(MESSAGE.IGNORE, string('')));
      }
      isDead = true;
    },
    { keepaliveMs: 50, keepaliveMisses: 3 },
  );
  const reason = await ground?.lost(session);
  expect([isDead, reason]).toEqual([true, expect.stringContaining('has not answered for a while')]);
});

/** Whether a number was the same many looks in a row. */
function stoppedChanging(number: () => number): () => boolean {
  let [last, same] = [-1, 0];
  return () => {
    same = number() === last ? same + 1 : 0;
    last = number();
    return same >= LOOKS;
  };
}
