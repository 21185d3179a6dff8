/** An SSH client in this process that reads, speaks and signals when it is told to. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import ssh2, { type ClientChannel } from 'ssh2';
import { until, type Door, type Person } from './door.js';

const STEP_LIMIT_MS = 30_000;
/** What is longer is no keepalive. */
const SMALL_BYTES = 1024;

export class SlowClient {
  readonly #client: ssh2.Client;
  readonly #disconnected: Promise<void>;
  readonly #channel: ClientChannel;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  stderr = '';
  /** Exit status, or the name of a signal (RFC 4254 6.10). */
  exit: number | string | undefined;
  isClosed = false;
  /** When something of some length last came, read or not; in milliseconds since the epoch. */
  fedAt = 0;

  private constructor(client: ssh2.Client, channel: ClientChannel, socket: Socket) {
    this.#client = client;
    this.#disconnected = new Promise((resolve) => client.once('close', resolve));
    this.#channel = channel;
    socket.on('data', ({ length }) => {
      if (length > SMALL_BYTES) this.fedAt = Date.now();
    });
    channel.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    });
    channel.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    channel.on('exit', (code: number | null, signal?: string) => (this.exit = code ?? signal?.replace(/^SIG/, '')));
    channel.on('close', () => (this.isClosed = true));
    channel.on('error', () => undefined);
  }

  /** Has the command run; what comes is read until `pause`. */
  static async exec(door: Door, person: Person, command: string): Promise<SlowClient> {
    const client = new ssh2.Client();
    client.on('error', () => undefined);
    const ready = once(client, 'ready');
    const socket = connect(door.port, '127.0.0.1');
    client.connect({ sock: socket, username: 'git', privateKey: readFileSync(person.keyFile) });
    await ready;
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      client.exec(command, (error, opened) => {
        if (error === undefined) resolve(opened);
        else reject(error);
      });
    });
    return new SlowClient(client, channel, socket);
  }

  /** All of standard output until now. */
  get stdout(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get length(): number {
    return this.#length;
  }

  /** From now on it opens the channel's window no more. */
  pause(): void {
    this.#channel.pause();
  }

  resume(): void {
    this.#channel.resume();
  }

  write(bytes: string | Buffer): void {
    this.#channel.write(bytes);
  }

  /** Any of RFC 4254 6.10, also those that a server need not pass on. */
  signal(name: string): void {
    this.#channel.signal(name);
  }

  /** Until git's first words have come to their end, a flush packet (gitprotocol-pack(5)). */
  async advertised(): Promise<void> {
    await until(
      () => this.stdout.toString('latin1').endsWith('0000'),
      STEP_LIMIT_MS,
      () => `no advertisement: ${this.stderr}`,
    );
  }

  async ended(limitMs = STEP_LIMIT_MS): Promise<void> {
    await until(
      () => this.isClosed,
      limitMs,
      () => `the session goes on: ${this.stderr}`,
    );
  }

  /** The server may have ended the connection before: nothing runs on it any more. */
  async leave(): Promise<void> {
    this.#client.end();
    await this.#disconnected;
  }
}

export function packet(text: string): string {
  return `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
}
