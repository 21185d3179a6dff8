/** What a connection may make the server hold: the figures that the door promises. */
import { createHash, type Hash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import ssh2, { type ClientChannel as Ssh2Channel } from 'ssh2';
import type { ClientChannel } from '../../../src/ports/client-channel.js';
import { until, within } from '../../../src/contracts/contract.js';
import { makePair, openGround, type Ground } from './ground.js';
import { RawClient } from './raw-client.js';
import { channelRequest, MESSAGE, string } from '../../support/ssh-bytes.js';

const MEBIBYTE = 1024 ** 2;
const TRANSFER = (process.env['GITMOUTH_SOAK'] === '1' ? 1024 : 256) * MEBIBYTE;
/** What may be held for one connection, in all its queues. */
const HELD_LIMIT = 4 * MEBIBYTE;
/** What a process of Node grows and shrinks by without a cause. A server that buffers grows by the whole transfer. */
const RSS_SLACK = 96 * MEBIBYTE;
const STILL_MS = 500;
const LIMIT_MS = 240_000;
const HUGE_WINDOW = 0xffff_ffff;
const CHUNK = 64 * 1024;

const alice = makePair();
let ground: Ground;

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('alice', alice.publicKey);
  ground.gateway.command = () => Promise.resolve();
});

afterEach(() => ground.close());

/** A transfer that is under way. */
class Transfer {
  bytes = 0;
  readonly hash: Hash = createHash('sha256');

  add(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.hash.update(chunk);
  }

  /** Writes chunk after chunk, no two alike, each once the one before was taken. */
  async into(stream: Writable, length: number): Promise<void> {
    for (let sent = 0; sent < length; sent += CHUNK) {
      const chunk = Buffer.alloc(CHUNK, (sent / CHUNK) % 251);
      chunk.writeDoubleBE(sent);
      await new Promise<void>((resolve, reject) => {
        stream.write(chunk, (error) => (error ? reject(error) : resolve()));
      });
      this.add(chunk);
    }
  }
}

/** The largest amount that was held until nothing moved any more. */
async function heldWhenStill(channels: readonly ClientChannel[], transfer: Transfer): Promise<number> {
  let [last, since, most] = [-1, Date.now(), 0];
  const watch = () => {
    most = Math.max(most, ...channels.map((channel) => channel.heldBytes()));
    const now = transfer.bytes + channels.reduce((sum, channel) => sum + channel.heldBytes(), 0);
    if (now !== last) [last, since] = [now, Date.now()];
    return transfer.bytes > 0 && Date.now() - since > STILL_MS;
  };
  await until(watch, 'the transfer stands still', undefined, LIMIT_MS);
  return most;
}

/** The median of some readings, so that one garbage collection more or less decides nothing. */
async function residentBytes(): Promise<number> {
  const readings: number[] = [];
  for (let count = 0; count < 9; count++) {
    readings.push(process.memoryUsage.rss());
    await sleep(50);
  }
  return readings.sort((a, b) => a - b)[4] ?? 0;
}

/** A client whose window is as large as a window can be, with a command begun. */
async function hungryClient(): Promise<{ client: RawClient; channel: ClientChannel; got: Transfer }> {
  const client = await RawClient.logIn(ground.port, alice);
  const got = new Transfer();
  client.consume = (payload) => {
    if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
    got.add(payload.subarray(9));
    return true;
  };
  const theirs = await client.open(0, { window: HUGE_WINDOW });
  client.send(channelRequest(theirs, 'exec', true, string('run')));
  await client.next(MESSAGE.CHANNEL_SUCCESS);
  const request = ground.gateway.requests.at(-1);
  if (request === undefined) throw new Error('the request did not arrive');
  return { client, channel: request.channel, got };
}

/** The process at work: a transfer that is read, so that what it needs for that is not taken for a leak. */
async function warmUp(): Promise<void> {
  const { client, channel, got } = await hungryClient();
  await new Transfer().into(channel.stdout, 32 * MEBIBYTE);
  await until(() => got.bytes === 32 * MEBIBYTE, 'the warm-up arrives', undefined, LIMIT_MS);
  await client.close();
}

test(
  'a client that stops reading its socket, with a huge window, is not buffered for',
  async () => {
    // Attack: ssh2 ignores what the socket says about being full. The window says "send", so the whole repository of
    // each such client would be read into memory: 64 MB in a second for a 64 MB pack.
    await warmUp();
    const { client, channel, got } = await hungryClient();
    const sent = new Transfer();
    const before = await residentBytes();
    client.socket.pause();
    const writing = sent.into(channel.stdout, TRANSFER);
    const held = await heldWhenStill([channel], sent);
    const growth = (await residentBytes()) - before;
    expect(sent.bytes).toBeLessThan(TRANSFER / 4);
    expect(held).toBeLessThan(HELD_LIMIT);
    expect(growth).toBeLessThan(RSS_SLACK);

    client.socket.resume();
    await within(writing, 'the writing', LIMIT_MS);
    await until(() => got.bytes === TRANSFER, 'everything arrives', undefined, LIMIT_MS);
    expect(got.hash.digest('hex')).toBe(sent.hash.digest('hex'));
    await client.close();
  },
  LIMIT_MS,
);

test(
  'a client that begins a key exchange in mid-transfer and never ends it is not buffered for',
  async () => {
    // Attack: during a key exchange nothing but that exchange may be sent (RFC 4253 7.1). ssh2 queues what it would
    // send meanwhile, without bound and without slowing anybody: 75 MB for a 64 MB pack.
    await warmUp();
    const { client, channel, got } = await hungryClient();
    const sent = new Transfer();
    const before = await residentBytes();
    const writing = sent.into(channel.stdout, TRANSFER).catch(() => 'freed');
    await until(() => got.bytes > 4 * MEBIBYTE, 'the transfer is under way', undefined, LIMIT_MS);
    client.rekeyHalfway();
    const held = await heldWhenStill([channel], sent);
    const growth = (await residentBytes()) - before;
    expect(sent.bytes).toBeLessThan(TRANSFER / 2);
    expect(held).toBeLessThan(HELD_LIMIT);
    expect(growth).toBeLessThan(RSS_SLACK);

    await client.close();
    expect(await within(writing, 'the writer to be freed')).toBe('freed');
  },
  LIMIT_MS,
);

test(
  'a key exchange in mid-transfer that ends loses, repeats and reorders nothing',
  async () => {
    const { client, channel, got } = await hungryClient();
    const sent = new Transfer();
    const length = 32 * MEBIBYTE;
    const writing = sent.into(channel.stdout, length);
    for (let exchange = 1; exchange <= 4; exchange++) {
      const due = exchange * 4 * MEBIBYTE;
      await until(() => got.bytes > due, 'the transfer is under way', undefined, LIMIT_MS);
      client.rekey();
    }
    await within(writing, 'the writing', LIMIT_MS);
    await until(() => got.bytes === length, 'everything arrives', undefined, LIMIT_MS);
    expect(got.hash.digest('hex')).toBe(sent.hash.digest('hex'));
    await client.close();
  },
  LIMIT_MS,
);

test(
  'ten channels of a client that does not read hold little more than one',
  async () => {
    const { client } = await hungryClient();
    for (let mine = 1; mine < 10; mine++) {
      const theirs = await client.open(mine, { window: HUGE_WINDOW });
      client.send(channelRequest(theirs, 'exec', true, string('run')));
      await client.next(MESSAGE.CHANNEL_SUCCESS);
    }
    client.socket.pause();
    const channels = ground.gateway.requests.map(({ channel }) => channel);
    const sent = new Transfer();
    const writing = channels.map((channel) => sent.into(channel.stdout, TRANSFER).catch(() => 'freed'));
    const held = await heldWhenStill(channels, sent);
    expect(held).toBeLessThan(HELD_LIMIT / 4);
    await client.close();
    expect(await within(Promise.all(writing), 'the writers to be freed')).toEqual(Array(10).fill('freed'));
  },
  LIMIT_MS,
);

test(
  'a client that pushes into a channel that nobody reads is held up, and what it sent arrives once it is read',
  async () => {
    await warmUp();
    const { client, stream } = await pushingClient();
    const channel = ground.gateway.requests.at(-1)?.channel;
    if (channel === undefined) throw new Error('the request did not arrive');
    const [sent, got] = [new Transfer(), new Transfer()];
    const before = await residentBytes();
    const writing = sent.into(stream, TRANSFER);
    const held = await heldWhenStill([channel], sent);
    const growth = (await residentBytes()) - before;
    expect(sent.bytes).toBeLessThan(TRANSFER / 4);
    expect(held).toBeLessThan(HELD_LIMIT);
    expect(growth).toBeLessThan(RSS_SLACK);

    let most = 0;
    channel.stdin.on('data', (chunk: Buffer) => {
      got.add(chunk);
      most = Math.max(most, channel.heldBytes());
    });
    await within(writing, 'the writing', LIMIT_MS);
    await until(() => got.bytes === TRANSFER, 'everything arrives', undefined, LIMIT_MS);
    expect(got.hash.digest('hex')).toBe(sent.hash.digest('hex'));
    expect(most).toBeLessThan(HELD_LIMIT);
    client.destroy();
  },
  LIMIT_MS,
);

/** An ordinary client, which keeps to its window, with a command begun. */
function pushingClient(): Promise<{ client: ssh2.Client; stream: Ssh2Channel }> {
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    client
      .on('error', reject)
      .on('ready', () => {
        client.exec('run', (error, stream) => (error ? reject(error) : resolve({ client, stream })));
      })
      .connect({ host: '127.0.0.1', port: ground.port, username: 'git', privateKey: alice.privateKey });
  });
}
