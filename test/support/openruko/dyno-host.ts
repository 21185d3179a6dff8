/**
 * A dyno host's rendezvous port, traps included: the first chunk is the header and the rest of it is thrown away; a
 * byte that comes before the dyno is up crashes the session; a half-close stops the output; there is no exit status,
 * and whoever leaves ends nothing.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { SecureVersion } from 'node:tls';
import { SERVICE_KEY } from './api-server.js';
import type { Identity } from './certificates.js';

export interface DynoHostOptions {
  readonly identity: Identity;
  /** Where it listens; 127.0.0.1 when unset. */
  readonly address?: string;
  /** How long a dyno takes to be up. */
  readonly bootMs?: number;
  readonly maxVersion?: SecureVersion;
  /** What it agrees to, as OpenSSL writes it. */
  readonly ciphers?: string;
}

/** In place of a dyno's own output. */
export type DynoMisbehaviour =
  /** Never says a word. */
  | 'slow'
  | 'not-provisioned'
  | 'closed'
  | 'reset'
  | 'garbage'
  | 'html'
  | 'half-a-word'
  /** Says what it was given: header, key and all. */
  | 'echo-header';

/** One command that waits for its client, or runs. */
export interface Job {
  readonly argv: readonly string[];
  readonly misbehaviour?: DynoMisbehaviour;
  /** The link is cut when so many bytes of output have passed. */
  readonly cutAfterBytes?: number;
  /** The command gets no more input than so many bytes, and waits for the rest for ever. */
  readonly holdAfterBytes?: number;
}

export class DynoHost {
  /** Sessions that a byte has crashed that came too early. */
  crashes = 0;
  /** Commands that wait for input which is held back. */
  holding = 0;
  /** From now on no dyno comes up. */
  isStalled = false;
  readonly #options: DynoHostOptions;
  readonly #server: Server;
  readonly #jobs = new Map<string, Job>();
  readonly #open = new Map<string, TLSSocket>();
  readonly #sockets = new Set<TLSSocket>();
  /** What the TLS sockets lie on, by the client's port: only these can be reset. */
  readonly #raw = new Map<number, Socket>();
  readonly #children = new Set<ChildProcess>();
  #port = 0;

  private constructor(options: DynoHostOptions) {
    this.#options = options;
    const { identity, maxVersion, ciphers = 'DEFAULT@SECLEVEL=0' } = options;
    const versions = maxVersion === undefined ? {} : { maxVersion, minVersion: 'TLSv1' as const };
    this.#server = createServer({ key: identity.key, cert: identity.cert, ...versions, ciphers }, (socket) =>
      this.#meet(socket),
    );
    this.#server.on('tlsClientError', () => undefined);
    this.#server.on('connection', (raw: Socket) => {
      const { remotePort = 0 } = raw;
      this.#raw.set(remotePort, raw);
      raw.once('close', () => this.#raw.delete(remotePort));
    });
  }

  static async start(options: DynoHostOptions): Promise<DynoHost> {
    const host = new DynoHost(options);
    await host.#listen();
    return host;
  }

  /** The same one also after `restart`. */
  get port(): number {
    return this.#port;
  }

  /** Dynos that a client is connected to. */
  get connected(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** Takes a job; the id it returns is the dyno's. */
  take(argv: readonly string[], more: Omit<Job, 'argv'> = {}): string {
    const id = randomUUID();
    this.#jobs.set(id, { argv, ...more });
    return id;
  }

  /** Cuts the connection of a dyno. */
  cut(id: string): void {
    this.#reset(this.#open.get(id));
  }

  /** It dies, and its dynos with it. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    const ends = [...this.#children].map((child) => new Promise((resolve) => child.once('close', resolve)));
    for (const child of this.#children) {
      child.stdout?.destroy();
      end(child);
    }
    await Promise.all([closed, ...ends]);
  }

  /** Comes back after `stop`, where it was; what was in it is gone. */
  async restart(): Promise<void> {
    this.#jobs.clear();
    await this.#listen();
  }

  async #listen(): Promise<void> {
    const { address = '127.0.0.1' } = this.#options;
    await new Promise<void>((resolve) => this.#server.listen(this.#port, address, resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  #reset(socket: TLSSocket | undefined): void {
    this.#raw.get(socket?.remotePort ?? 0)?.resetAndDestroy();
    socket?.destroy();
  }

  #meet(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.once('data', (chunk: Buffer) => {
      const [key, id = ''] = chunk.toString('latin1').split('\n');
      const job = key === SERVICE_KEY ? this.#jobs.get(id) : undefined;
      if (job === undefined) {
        socket.end('Dyno does not exist.');
        return;
      }
      this.#jobs.delete(id);
      this.#open.set(id, socket);
      socket.once('close', () => this.#open.delete(id));
      if (this.isStalled) return;
      if (job.misbehaviour === undefined) void this.#boot(socket, job);
      else if (job.misbehaviour === 'reset') this.#reset(socket);
      else misbehave(job.misbehaviour, socket, chunk);
    });
  }

  async #boot(socket: TLSSocket, job: Job): Promise<void> {
    let isEarly = false;
    const tooEarly = () => (isEarly = true);
    socket.on('data', tooEarly);
    await pause(this.#options.bootMs ?? 5);
    socket.off('data', tooEarly);
    if (isEarly) {
      this.crashes += 1;
      socket.destroy();
    }
    if (!socket.destroyed) this.#run(socket, job);
  }

  #run(socket: TLSSocket, { argv, cutAfterBytes, holdAfterBytes = Infinity }: Job): void {
    const child = spawn('sh', ['-c', 'exec "$0" "$@" 2>&1', ...argv], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    child.stdin.on('error', () => undefined);
    // Ends the connection with the command; a dyno that nobody reads from any more runs on and fills its pipe.
    if (cutAfterBytes === undefined) child.stdout.pipe(socket);
    else cutOutput(child.stdout, socket, cutAfterBytes);
    socket.once('close', () => child.stdout.unpipe(socket).pause());
    let taken = 0;
    socket.on('data', (chunk: Buffer) => {
      taken += chunk.length;
      if (taken > holdAfterBytes) {
        socket.pause();
        this.holding += 1;
        return;
      }
      if (child.stdin.write(chunk)) return;
      socket.pause();
      child.stdin.once('drain', () => socket.resume());
    });
    // Node then ends the other half as well, as it did under the original.
    socket.once('end', () => child.stdout.unpipe(socket).pause());
  }
}

/** With whatever it has started. */
function end({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function cutOutput(output: Readable, socket: TLSSocket, afterBytes: number): void {
  let left = afterBytes;
  output.on('data', (chunk: Buffer) => {
    if (left > 0) socket.write(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) socket.end();
  });
}

function misbehave(how: Exclude<DynoMisbehaviour, 'reset'>, socket: TLSSocket, header: Buffer): void {
  switch (how) {
    case 'slow':
      return;
    case 'not-provisioned':
      socket.end('E: \n ! Problem provisioning build server\n\n');
      return;
    case 'closed':
      socket.end();
      return;
    case 'garbage':
      socket.end(Buffer.from([0, 255, 1, 254, 13, 10]));
      return;
    case 'html':
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n<html>');
      return;
    case 'half-a-word':
      socket.end('00');
      return;
    case 'echo-header':
      socket.end(header);
      return;
  }
}
