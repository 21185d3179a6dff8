import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { PassThrough, type Readable, Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import {
  MemoryClientChannel,
  MemoryClock,
  MemoryDynoSession,
  type MemoryClient,
  type MemoryCommand,
} from '../../src/adapters/memory/index.js';
import { bridge, heldBytes, type Traffic } from '../../src/app/bridge.js';
import type { DynoExit, SignalName } from '../../src/domain/dyno.js';
import { Fault } from '../../src/domain/fault.js';
import type { DynoSession } from '../../src/ports/transport.js';
import { rejectionOf, turns, until, within } from '../../src/contracts/contract.js';
import { read, write, writeUntilStalled } from '../../src/contracts/dyno-driver.js';
import { echo, sleepUntilSignalled } from '../support/memory-commands.js';

/** More than this is held by no pair of queues: each stream's high-water mark, and a chunk on its way. */
const HELD_LIMIT = 512 * 1024;
const CHUNK = 64 * 1024;

interface Joined {
  readonly channel: MemoryClientChannel;
  readonly client: MemoryClient;
  readonly dyno: DynoSession;
  readonly traffic: Traffic;
  readonly control: AbortController;
  readonly exit: Promise<DynoExit>;
}

function joinedTo(dyno: DynoSession): Joined {
  const channel = new MemoryClientChannel();
  const { client } = channel;
  for (const stream of [client.stdin, client.stdout, client.stderr]) stream.on('error', () => undefined);
  const control = new AbortController();
  channel.gone.addEventListener('abort', () => control.abort(channel.gone.reason), { once: true });
  const traffic = { bytesIn: 0, bytesOut: 0 };
  const exit = bridge(channel, dyno, traffic, control.signal);
  exit.catch(() => undefined);
  return { channel, client, dyno, traffic, control, exit };
}

function joined(command: MemoryCommand): Joined {
  return joinedTo(new MemoryDynoSession(command, new MemoryClock(), 0));
}

/** Writes for ever, each chunk when the one before was taken. */
function flood(written: () => void = () => undefined): MemoryCommand {
  return async ({ stdout, ended }) => {
    while (!ended.aborted) {
      await new Promise((resolve) => stdout.write(Buffer.alloc(CHUNK), resolve));
      written();
      // Memory is never slow: without a turn for others nothing else would ever run.
      await turns(1);
    }
    return 0;
  };
}

/** Nothing listens on the session's signal once both sides are closed. */
async function expectNothingLeft({ dyno, control }: Joined): Promise<void> {
  await within(dyno.close(), 'the dyno to close');
  await until(() => getEventListeners(control.signal, 'abort').length === 0, 'no listener to be left');
}

async function send(stream: Writable, bytes: Uint8Array, sizeOf: () => number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const size = sizeOf();
    await write(stream, bytes.subarray(at, at + size));
    at += size;
  }
  stream.end();
}

describe('bytes', () => {
  test.each([
    ['one at a time', 2_000, () => 1],
    ['8 MiB, in chunks of any size', 8 * 1024 ** 2, () => 1 + Math.floor(Math.random() * 200_000)],
  ])('pass unchanged in both directions, and are counted: %s', async (_what, size, sizeOf) => {
    const pair = joined(echo);
    const bytes = randomBytes(size);
    const [, received] = await Promise.all([
      send(pair.client.stdin, bytes, sizeOf),
      readUntilEnd(pair.client.stdout, size),
    ]);
    expect(received.equals(bytes)).toBe(true);
    expect(await within(pair.exit, 'the exit')).toEqual({ kind: 'code', code: 0 });
    expect(pair.traffic).toEqual({ bytesIn: size, bytesOut: size });
    await expectNothingLeft(pair);
  });

  test('of standard error stay apart from those of standard output, and count', async () => {
    const pair = joined(async ({ stdout, stderr }) => {
      stdout.write('a pack');
      stderr.write('remote: hello');
      return 0;
    });
    await pair.exit;
    expect(String(pair.client.stdout.read())).toBe('a pack');
    expect(String(pair.client.stderr.read())).toBe('remote: hello');
    expect(pair.traffic).toEqual({ bytesIn: 0, bytesOut: 6 + 13 });
    await expectNothingLeft(pair);
  });

  test('that are still on their way at the exit all arrive, however late they are read', async () => {
    const tail = randomBytes(3_000_000);
    const pair = joined(async ({ stdout, stderr }) => {
      for (let at = 0; at < tail.length; at += CHUNK) stdout.write(tail.subarray(at, at + CHUNK));
      stderr.write('the last line');
      return 7;
    });
    await pair.dyno.exit;
    await turns();
    let isOver = false;
    void pair.exit.then(() => (isOver = true));
    await turns();
    expect(isOver).toBe(false);
    expect((await readUntilEnd(pair.client.stdout, tail.length)).equals(tail)).toBe(true);
    expect(await within(pair.exit, 'the exit')).toEqual({ kind: 'code', code: 7 });
    expect(String(pair.client.stderr.read())).toBe('the last line');
    expect(pair.traffic.bytesOut).toBe(tail.length + 13);
    await expectNothingLeft(pair);
  });

  test('leave the client’s streams open behind them, for last words', async () => {
    const pair = joined(async ({ stdout }) => {
      stdout.write('git’s. ');
      return 0;
    });
    await pair.exit;
    pair.channel.stdout.write('ours.');
    await turns();
    expect(String(pair.client.stdout.read())).toBe('git’s. ours.');
    await expectNothingLeft(pair);
  });
});

/** So many bytes; the client's standard output is not ended by the bridge. */
async function readUntilEnd(stream: Readable, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let left = size;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    left -= chunk.length;
  });
  await until(() => left <= 0, `${size} bytes to arrive`, undefined, 20_000);
  await turns();
  return Buffer.concat(chunks);
}

describe('backpressure', () => {
  test('of a client that does not read stops the dyno, until it reads again', async () => {
    let written = 0;
    const pair = joined(flood(() => (written += CHUNK)));
    await turns(200);
    const stalledAt = written;
    expect(stalledAt).toBeLessThan(HELD_LIMIT);
    await turns(200);
    expect(written).toBe(stalledAt);
    expect(heldBytes(pair.channel, pair.dyno)).toBeGreaterThan(0);
    expect(heldBytes(pair.channel, pair.dyno)).toBeLessThan(HELD_LIMIT);
    pair.client.stdout.resume();
    await until(() => written > stalledAt + 100 * CHUNK, 'the dyno to write on');
    pair.control.abort(new Error('over'));
    await expectNothingLeft(pair);
  });

  test('of a dyno that does not read stops the client, until it reads again', async () => {
    let readOn: () => void = () => undefined;
    const reading = new Promise<void>((resolve) => (readOn = resolve));
    const pair = joined(async ({ stdin, stdout }) => {
      await reading;
      let bytes = 0;
      for await (const chunk of stdin) bytes += (chunk as Buffer).length;
      stdout.write(String(bytes));
      return 0;
    });
    const taken = await writeUntilStalled(pair.client.stdin, HELD_LIMIT);
    expect(taken).toBeLessThan(HELD_LIMIT);
    expect(heldBytes(pair.channel, pair.dyno)).toBeLessThan(HELD_LIMIT);
    readOn();
    pair.client.stdin.end();
    expect(await within(pair.exit, 'the exit')).toEqual({ kind: 'code', code: 0 });
    // The chunk that was refused at first was sent as well.
    expect(String(pair.client.stdout.read())).toBe(String(taken + CHUNK));
    expect(pair.traffic.bytesIn).toBe(taken + CHUNK);
    await expectNothingLeft(pair);
  });
});

describe('a dyno that stops reading', () => {
  test('is no failure: its output and its exit pass, and the client may write on', async () => {
    const pair = joined(async ({ stdin, stdout }) => {
      stdin.destroy();
      await turns();
      stdout.write('I have seen enough');
      return 3;
    });
    for (let chunks = 0; chunks < 40; chunks++) pair.client.stdin.write(Buffer.alloc(CHUNK));
    expect(await within(pair.exit, 'the exit')).toEqual({ kind: 'code', code: 3 });
    await until(
      () => pair.client.stdin.writableLength === 0 || pair.client.stdin.destroyed,
      'the client to be let off',
    );
    expect(String(pair.client.stdout.read())).toBe('I have seen enough');
    await expectNothingLeft(pair);
  });

  test('with an error on its pipe (EPIPE) is none either', async () => {
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    const dyno = manual({ stdin: new Writable({ write: (_chunk, _encoding, done) => done(broken) }) });
    const pair = joinedTo(dyno.session);
    pair.client.stdin.write('too much');
    await turns();
    dyno.stdout.write('still here');
    dyno.end({ kind: 'code', code: 1 });
    expect(await within(pair.exit, 'the exit')).toEqual({ kind: 'code', code: 1 });
    expect(String(pair.client.stdout.read())).toBe('still here');
    await expectNothingLeft(pair);
  });
});

/** A dyno session by hand. */
function manual(streams: { stdin?: Writable } = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const signals: SignalName[] = [];
  const stdin = streams.stdin ?? new PassThrough();
  let settle: (exit: DynoExit | Promise<never>) => void = () => undefined;
  const exit = new Promise<DynoExit>((resolve) => (settle = resolve));
  const session: DynoSession = {
    ...{ stdin, stdout, stderr, exit },
    signal: (name) => signals.push(name),
    pause: () => undefined,
    resume: () => undefined,
    close: async () => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
    },
  };
  const end = (result: DynoExit) => {
    stdout.end();
    stderr.end();
    settle(result);
  };
  const lose = (fault: Fault) => settle(Promise.reject(fault));
  return { session, stdout, signals, end, lose };
}

describe('signals of the client', () => {
  test('reach the dyno in their order', async () => {
    const dyno = manual();
    const pair = joinedTo(dyno.session);
    for (const name of ['INT', 'USR1', 'TERM']) pair.client.signal(name);
    pair.client.signal('STOP');
    expect(dyno.signals).toEqual(['INT', 'USR1', 'TERM']);
    dyno.end({ kind: 'signal', signal: 'TERM' });
    expect(await within(pair.exit, 'the exit')).toEqual({ kind: 'signal', signal: 'TERM' });
    await expectNothingLeft(pair);
  });
});

describe('an abort', () => {
  const reason = new Error('over');

  test('settles at once with its reason, though nobody reads and both directions are full', async () => {
    const pair = joined(async ({ stdout, stderr, ended }) => {
      stdout.write(Buffer.alloc(5_000_000));
      stderr.write(Buffer.alloc(5_000_000));
      await new Promise((resolve) => ended.addEventListener('abort', resolve, { once: true }));
      return 0;
    });
    pair.client.stdin.write(Buffer.alloc(5_000_000));
    await turns();
    pair.control.abort(reason);
    expect(await rejectionOf(pair.exit)).toBe(reason);
    await expectNothingLeft(pair);
  });

  test('after the exit settles too, while the client does not take the rest', async () => {
    const pair = joined(async ({ stdout }) => {
      for (let chunks = 0; chunks < 50; chunks++) stdout.write(Buffer.alloc(CHUNK));
      return 0;
    });
    await pair.dyno.exit;
    await turns();
    pair.control.abort(reason);
    expect(await rejectionOf(pair.exit)).toBe(reason);
    await expectNothingLeft(pair);
  });

  test('leaves the client’s streams open, for the words that say why', async () => {
    const pair = joined(sleepUntilSignalled);
    await turns();
    pair.control.abort(reason);
    await rejectionOf(pair.exit);
    pair.client.stdout.resume();
    await pair.channel.finish({ words: 'that is why\n', exit: { signal: 'TERM' } });
    expect((await read(pair.client.stderr)).toString()).toBe('that is why\n');
    expect(await pair.client.exit).toEqual({ signal: 'TERM' });
    await expectNothingLeft(pair);
  });

  test('that came before joins nothing', async () => {
    const dyno = manual();
    const channel = new MemoryClientChannel();
    const traffic = { bytesIn: 0, bytesOut: 0 };
    expect(await rejectionOf(bridge(channel, dyno.session, traffic, AbortSignal.abort(reason)))).toBe(reason);
    channel.client.stdin.write('x');
    await turns();
    expect(traffic).toEqual({ bytesIn: 0, bytesOut: 0 });
    await dyno.session.close();
  });
});

describe('a client that vanishes', () => {
  test.each([
    ['while it sends', async ({ client }: Joined) => void client.stdin.write(Buffer.alloc(5_000_000))],
    ['while it reads', async ({ client }: Joined) => void client.stdout.once('data', () => client.stdout.pause())],
    ['while it does not read', async () => undefined],
  ])('%s is an end with that reason, and the dyno is told nothing more', async (_when, meanwhile) => {
    const pair = joined(flood());
    await meanwhile(pair);
    await turns();
    pair.client.leave();
    expect(await rejectionOf(pair.exit)).toMatchObject({ reason: 'client-left' });
    const counted = { ...pair.traffic };
    await turns();
    expect(pair.traffic).toEqual(counted);
    await expectNothingLeft(pair);
  });
});

describe('a dyno that is lost', () => {
  test('is its fault, at once, though its output never ends', async () => {
    const dyno = manual();
    const pair = joinedTo(dyno.session);
    const fault = new Fault('GM_DYNO_LOST', 'run', 'the host went away');
    dyno.lose(fault);
    expect(await rejectionOf(pair.exit)).toBe(fault);
    await expectNothingLeft(pair);
  });
});
