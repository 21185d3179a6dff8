/** What travels over one channel, message by message. What every client channel promises is in its contract. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until, within } from '../../../src/contracts/contract.js';
import { makePair, openGround, type Ground, type Request } from './ground.js';
import { RawClient } from './raw-client.js';
import { channelRequest, MESSAGE, message, openSession, Reader, string, uint32 } from '../../support/ssh-bytes.js';

const alice = makePair();

let ground: Ground;
let client: RawClient;

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('alice', alice.publicKey);
  client = await RawClient.logIn(ground.port, alice);
});

afterEach(async () => {
  await client.close();
  await ground.close();
});

const { CHANNEL_SUCCESS, CHANNEL_DATA, CHANNEL_EXTENDED_DATA, CHANNEL_EOF, CHANNEL_REQUEST, CHANNEL_CLOSE } = MESSAGE;

/** Opens a channel and has a command begun on it, which the test then carries out. */
async function begin(options: Parameters<typeof openSession>[1] = {}, mine = 7): Promise<Request & { theirs: number }> {
  const begun = ground.gateway.requests.length;
  ground.gateway.command = () => Promise.resolve();
  const theirs = await client.open(mine, options);
  client.send(channelRequest(theirs, 'exec', true, string('run')));
  await client.next(CHANNEL_SUCCESS);
  const request = ground.gateway.requests[begun];
  if (request === undefined) throw new Error('the request did not arrive');
  return { ...request, theirs };
}

/** What has come on channels, as words. */
function transcript(): string[] {
  const onChannels = client.received.filter(([type = 0]) => type >= CHANNEL_DATA && type <= CHANNEL_REQUEST);
  return onChannels.flatMap((payload) => {
    const fields = new Reader(payload);
    const channel = fields.uint32();
    switch (payload[0]) {
      case CHANNEL_DATA:
        return [`${channel} data ${fields.text()}`];
      case CHANNEL_EXTENDED_DATA:
        return [`${channel} data(${fields.uint32()}) ${fields.text()}`];
      case CHANNEL_EOF:
        return [`${channel} eof`];
      case CHANNEL_CLOSE:
        return [`${channel} close`];
      case CHANNEL_REQUEST: {
        const [type, wantReply] = [fields.text(), fields.byte()];
        return [`${channel} ${type} ${wantReply} ${type === 'exit-status' ? fields.uint32() : fields.text()}`];
      }
      default:
        return [];
    }
  });
}

describe('the end of a command is told', () => {
  test('in the order data, end of data, exit status, close', async () => {
    const { channel } = await begin();
    channel.stdout.write('out');
    await channel.finish({ words: ' !     no\n', exit: { code: 3 } });
    await client.next(CHANNEL_CLOSE);
    expect(transcript()).toEqual(['7 data out', '7 data(1)  !     no\n', '7 eof', '7 exit-status 0 3', '7 close']);
  });

  test.each([
    ['TERM', 'TERM'],
    ['KILL', 'KILL'],
    ['XCPU', 'XCPU@openssh.com'],
    ['BUS', 'BUS@openssh.com'],
  ] as const)('by the signal %s as %s, RFC names bare and others with a domain', async (signal, told) => {
    const { channel } = await begin();
    await channel.finish({ words: '', exit: { signal } });
    const request = new Reader(await client.next(CHANNEL_REQUEST));
    expect([request.uint32(), request.text(), request.byte()]).toEqual([7, 'exit-signal', 0]);
    expect([request.text(), request.byte(), request.text(), request.text()]).toEqual([told, 0, '', '']);
    await client.next(CHANNEL_CLOSE);
    expect(transcript().map((line) => line.split(' ')[1])).toEqual(['eof', 'exit-signal', 'close']);
  });

  test('to a client that does not read its last words, after five seconds without them', async () => {
    const { channel } = await begin({ window: 0 });
    const since = Date.now();
    await within(channel.finish({ words: 'never read', exit: { code: 1 } }), 'the finish');
    await client.next(CHANNEL_CLOSE);
    expect(Date.now() - since).toBeGreaterThan(4_500);
    expect(transcript()).toEqual(['7 eof', '7 exit-status 0 1', '7 close']);
  });

  test('with last words although the session’s output was cut off', async () => {
    const { channel, theirs } = await begin({ window: 0 });
    channel.stdout.destroy();
    const finished = channel.finish({ words: 'stopped', exit: { code: 1 } });
    client.send(message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(theirs), uint32(100)));
    await within(finished, 'the finish');
    await client.next(CHANNEL_CLOSE);
    expect(transcript()).toEqual(['7 data(1) stopped', '7 eof', '7 exit-status 0 1', '7 close']);
  });
});

describe('a window that is used up', () => {
  const grant = (theirs: number, bytes: number) =>
    client.send(message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(theirs), uint32(bytes)));

  /** What has come on a stream. */
  function got(type: number): string {
    const data = client.received.filter((payload) => payload[0] === type);
    return data.map((payload) => new Reader(payload, type === CHANNEL_DATA ? 5 : 9).text()).join('');
  }

  test('stalls both streams, and what is granted wakes both', async () => {
    // ssh2 wakes one of two stalled streams and leaves the other for ever.
    const { channel, theirs } = await begin({ window: 4 });
    channel.stdout.write('0123456789');
    channel.stderr.write('abcdefghij');
    const finished = channel.finish({ words: '', exit: { code: 0 } });
    for (let granted = 4; granted < 24; granted += 4) {
      const expected = granted;
      await until(() => (got(CHANNEL_DATA) + got(CHANNEL_EXTENDED_DATA)).length === Math.min(expected, 20), 'data');
      grant(theirs, 4);
    }
    await within(finished, 'the finish');
    await client.next(CHANNEL_CLOSE);
    expect([got(CHANNEL_DATA), got(CHANNEL_EXTENDED_DATA)]).toEqual(['0123456789', 'abcdefghij']);
  });

  test('on one stream after the other repeats nothing', async () => {
    // ssh2 keeps the chunk that once waited; at the next stall, of the other stream, it would send it a second time.
    const { channel, theirs } = await begin({ window: 5 });
    channel.stdout.write('pack data');
    await until(() => got(CHANNEL_DATA) === 'pack ', 'the first stall');
    grant(theirs, 4);
    await until(() => got(CHANNEL_DATA) === 'pack data', 'the first stall is over');
    channel.stderr.write('progress');
    grant(theirs, 3);
    await until(() => got(CHANNEL_EXTENDED_DATA).length + got(CHANNEL_DATA).length >= 12, 'the second stall');
    grant(theirs, 100);
    channel.stdout.write('!');
    await within(channel.finish({ words: '', exit: { code: 0 } }), 'the finish');
    await client.next(CHANNEL_CLOSE);
    expect([got(CHANNEL_DATA), got(CHANNEL_EXTENDED_DATA)]).toEqual(['pack data!', 'progress']);
  });

  test('counts what was granted before the command', async () => {
    // ssh2 forgets it, and such a client would wait for ever.
    ground.gateway.command = () => Promise.resolve();
    const theirs = await client.open(7, { window: 0 });
    grant(theirs, 100);
    client.send(channelRequest(theirs, 'exec', true, string('run')));
    await client.next(CHANNEL_SUCCESS);
    await ground.gateway.requests[0]?.channel.finish({ words: 'told', exit: { code: 0 } });
    expect(new Reader(await client.next(CHANNEL_EXTENDED_DATA), 9).text()).toBe('told');
  });
});

describe('a client that leaves', () => {
  test('one channel destroys its streams, and the other channels go on', async () => {
    const one = await begin({}, 1);
    const two = await begin({}, 2);
    client.send(message(CHANNEL_CLOSE, uint32(one.theirs)));
    await until(() => one.channel.gone.aborted, 'the client is gone');
    const { stdin, stdout, stderr } = one.channel;
    expect([stdin.destroyed, stdout.destroyed, stderr.destroyed]).toEqual([true, true, true]);
    expect(two.channel.gone.aborted).toBe(false);
    await two.channel.finish({ words: 'still here', exit: { code: 0 } });
    expect(new Reader(await client.next(CHANNEL_EXTENDED_DATA), 9).text()).toBe('still here');
  });

  test('one channel with input that nobody read is gone at once', async () => {
    // ssh2 tells of the close only once everything before it was read.
    const { channel, theirs } = await begin();
    const data = message(CHANNEL_DATA, uint32(theirs), string(Buffer.alloc(30_000)));
    client.send(...Array<Buffer>(20).fill(data));
    client.send(message(CHANNEL_CLOSE, uint32(theirs)));
    await until(() => channel.gone.aborted, 'the client is gone');
  });

  test('the connection leaves every channel', async () => {
    const channels = [await begin({}, 1), await begin({}, 2)];
    client.socket.resetAndDestroy();
    await until(() => channels.every(({ channel }) => channel.gone.aborted), 'the client is gone');
    expect(channels.every(({ channel }) => channel.stdout.destroyed && channel.stdin.destroyed)).toBe(true);
  });

  test('by ending its side has left, though the connection stays open for what it does not read', async () => {
    const { channel } = await begin({ window: 0xffff_ffff });
    client.socket.pause();
    const flood = setInterval(() => channel.stdout.write(Buffer.alloc(1024 ** 2)), 1);
    await until(() => channel.stdout.writableLength > 1024 ** 2, 'nothing more is taken').finally(() =>
      clearInterval(flood),
    );
    client.socket.end();
    await until(() => channel.gone.aborted, 'the client is gone', undefined, 2_000);
    expect(ground.observer.ofType('connection-closed')).toEqual([]);
  });
});

describe('a channel that can take no bytes', () => {
  test.each([0, 1, 255])('of maximum packet size %i is not opened, and others are', async (packetSize) => {
    // Attack: ssh2 cuts what it writes into pieces of this size, and with 0 never ends: one channel, one command, and
    // the whole process stands still until it is killed.
    client.send(openSession(1, { packetSize }));
    const failure = new Reader(await client.next(MESSAGE.CHANNEL_OPEN_FAILURE));
    expect([failure.uint32(), failure.uint32(), failure.text()]).toEqual([
      1,
      4,
      'The maximum packet size must be at least 256 bytes.',
    ]);
    const theirs = await client.open(2);
    client.send(channelRequest(theirs, 'exec', true, string('run')));
    await client.next(CHANNEL_CLOSE);
    expect(ground.gateway.requests).toHaveLength(1);
  });

  test('of the smallest size that is taken is served, in such pieces', async () => {
    const { channel } = await begin({ packetSize: 256 });
    channel.stdout.write(Buffer.alloc(1000, 'x'));
    await channel.finish({ words: '', exit: { code: 0 } });
    await client.next(CHANNEL_CLOSE);
    expect(transcript().filter((line) => line.includes('data'))).toHaveLength(4);
  });
});
