/** Clients that leave in the middle of something: on ssh2's own client, in this process, so that a thousand are quick. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import ssh2, { type ClientChannel } from 'ssh2';
import type { Door, Person } from './door.js';

const STEP_LIMIT_MS = 60_000;
const NOTHING = '0'.repeat(40);

export type Departure = 'before log-in' | 'after log-in' | 'after exec' | 'mid-clone' | 'mid-push';
export const DEPARTURES: readonly Departure[] = [
  'before log-in',
  'after log-in',
  'after exec',
  'mid-clone',
  'mid-push',
];

export interface Material {
  readonly door: Door;
  readonly person: Person;
  /** An app to clone, the commit its branch names, and how many bytes of its pack to read before leaving. */
  readonly cloned: { readonly app: string; readonly commit: string; readonly bytes: number };
  /** An app to push to, and the part of a pack that is sent before leaving. */
  readonly pushed: { readonly app: string; readonly commit: string; readonly part: Buffer };
}

/** Connects, goes as far as the departure says, and leaves without a word. */
export async function leave(departure: Departure, { door, person, cloned, pushed }: Material): Promise<void> {
  const socket = connect(door.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const limit = setTimeout(() => socket.destroy(new Error(`${departure}: nothing came`)), STEP_LIMIT_MS);
  try {
    if (departure === 'before log-in') {
      await once(socket, 'data');
      return;
    }
    const client = await logIn(socket, person);
    switch (departure) {
      case 'after log-in':
        return;
      case 'after exec':
        await exec(client, `git-upload-pack '${cloned.app}.git'`);
        return;
      case 'mid-clone': {
        const channel = await exec(client, `git-upload-pack '${cloned.app}.git'`);
        await advertisement(channel);
        const want = packet(`want ${cloned.commit} side-band-64k ofs-delta agent=leaver\n`);
        channel.write(`${want}0000${packet('done\n')}`);
        let read = 0;
        await takeUntil(channel, (chunk) => (read += chunk.length) >= cloned.bytes);
        return;
      }
      case 'mid-push': {
        const channel = await exec(client, `git-receive-pack '${pushed.app}.git'`);
        await advertisement(channel);
        const command = `${NOTHING} ${pushed.commit} refs/heads/never\0 report-status side-band-64k agent=leaver`;
        await sent(channel, Buffer.concat([Buffer.from(`${packet(command)}0000`), pushed.part]));
      }
    }
  } finally {
    clearTimeout(limit);
    // A reset, as of a machine that is switched off.
    socket.resetAndDestroy();
    if (!socket.closed) await once(socket, 'close');
  }
}

async function logIn(socket: Socket, person: Person): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const failed = new Promise<never>((_resolve, reject) => {
    client.on('error', reject);
    socket.once('close', () => {
      reject(new Error('the connection was closed'));
    });
  });
  failed.catch(() => undefined);
  const ready = once(client, 'ready');
  ready.catch(() => undefined);
  client.connect({ sock: socket, username: 'git', privateKey: readFileSync(person.keyFile) });
  await Promise.race([ready, failed]);
  return client;
}

function exec(client: ssh2.Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.once('close', () => {
      reject(new Error('the connection was closed'));
    });
    client.exec(command, (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(error);
    });
  });
}

/** ssh2 does not call back a write to a channel that is closed meanwhile. */
function sent(channel: ClientChannel, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.once('close', () => {
      reject(new Error('the channel was closed before all of the push was sent'));
    });
    channel.write(bytes, () => {
      resolve();
    });
  });
}

/** What git says first ends with a flush packet (gitprotocol-pack(5)). */
function advertisement(channel: ClientChannel): Promise<void> {
  channel.stderr.resume();
  let said = '';
  return takeUntil(channel, (chunk) => {
    said += chunk.toString('latin1');
    return said.endsWith('0000');
  });
}

/** One listener all the way: two chunks may come in one turn, and what no listener takes is lost. */
function takeUntil(channel: ClientChannel, isEnough: (chunk: Buffer) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => {
      reject(new Error('the channel was closed too early'));
    };
    const take = (chunk: Buffer) => {
      if (!isEnough(chunk)) return;
      channel.off('data', take);
      channel.off('close', closed);
      resolve();
    };
    channel.on('data', take);
    channel.once('close', closed);
    // And flowing all the way: ssh2 tells of a close only once everything was read.
    channel.resume();
  });
}

function packet(text: string): string {
  return `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
}
