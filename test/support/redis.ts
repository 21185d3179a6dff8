/** A Redis of the test's own, on a free port of loopback and in a folder of its own. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.js';
import { temporaryFolder } from './temporary.js';

/** Both times by one clock, at one moment. */
const END_OF = `
  local time, left = redis.call('TIME'), redis.call('PTTL', KEYS[1])
  return { time[1] * 1000 + math.floor(time[2] / 1000) + left, left }
`;

export class RedisServer {
  readonly url: string;
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), temporaryFolder('redis'));
    await server.resume();
    return server;
  }

  /** Starts it anew on the same port, after a `stop`; with what it had, where it was told to save. */
  async resume(): Promise<void> {
    const child = spawn(
      'redis-server',
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder],
        ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--loglevel', 'warning'],
      ],
      { stdio: 'ignore' },
    );
    this.#process = child;
    const failed = once(child, 'error').then(([error]) => {
      throw error;
    });
    await Promise.race([failed, this.#answers()]);
    failed.catch(() => undefined);
  }

  /** Ends it, as a crash or an operator does; what is connected is cut off. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGCONT');
    child.kill(signal);
    await closed;
  }

  /** Leaves it running and connected, but mute, as a machine that hangs; `SIGCONT` ends that. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal);
  }

  /** The answer of redis-cli to one command, as it prints it. */
  cli(...command: readonly string[]): string {
    return execFileSync('redis-cli', ['-p', String(this.port), ...command], { encoding: 'utf8' }).trim();
  }

  /** When a key runs out by itself, in milliseconds since the epoch by the server's own clock; undefined where it is none. */
  endOf(key: string): number | undefined {
    const [end, left] = this.cli('EVAL', END_OF, '1', key).split('\n').map(Number);
    return left !== undefined && left >= 0 ? end : undefined;
  }

  async #answers(): Promise<void> {
    for (;;) {
      if (await accepts(this.port)) return;
      await sleep(20);
    }
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.end('PING\r\n');
    });
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
