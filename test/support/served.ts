/** A server as its operator starts it: by a command line, and known by what it says. */
import { until } from './door.js';
import { descendantsOf, runningProcesses, type MachineProcess } from './machine.js';
import { Running } from './running.js';

const START_LIMIT_MS = 30_000;

export class Served {
  readonly process: Running;

  private constructor(process: Running) {
    this.process = process;
  }

  /** Resolves once it listens. Rejects, with all it said, when it ends instead. */
  static async start(command: readonly [string, ...string[]], env: Readonly<Record<string, string>>): Promise<Served> {
    const [file, ...args] = command;
    const served = new Served(new Running(file, args, { env }));
    await until(
      () => served.process.hasEnded || (served.said.includes('gitmouth listens on') && served.said.endsWith('\n\n')),
      START_LIMIT_MS,
      () => `the server does not start: ${served.said}${served.log}`,
    );
    if (served.process.hasEnded) throw new Error(`the server ended: ${served.said}${served.log}`);
    return served;
  }

  /** What is said to people. */
  get said(): string {
    return this.process.stderr;
  }

  get log(): string {
    return this.process.stdout;
  }

  get port(): number {
    return Number(/gitmouth listens on \S+:(\d+)/.exec(this.said)?.[1]);
  }

  /** The lines it prints to be copied. */
  get commands(): readonly string[] {
    return [...this.said.matchAll(/^ {2}((?:git|npx) .+)$/gm)].map(([, line = '']) => line);
  }

  /** Stops it well, and fails if it does not end with 0. */
  async stop(): Promise<void> {
    if (this.process.hasEnded) return;
    process.kill(this.#server().pid, 'SIGTERM');
    const { code, stderr } = await this.process.ended();
    if (code !== 0) throw new Error(`the server ended with ${code}: ${stderr}`);
  }

  /** Under bubblewrap the server is the child of what was started. */
  #server(): MachineProcess {
    const started = this.process.pid;
    const candidates = [...runningProcesses().filter(({ pid }) => pid === started), ...descendantsOf(started)];
    const server = candidates.find(({ command }) => /^\S*node \S*main\.js serve/.test(command));
    if (server === undefined) throw new Error('the server is not there');
    return server;
  }
}
