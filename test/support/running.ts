/** A program that a test watches while it runs: what it says and when, and how it ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { until, type Result } from './door.js';

const END_LIMIT_MS = 60_000;

export interface SaidLine {
  readonly text: string;
  /** When its last character came, in milliseconds. */
  readonly atMs: number;
}

export class Running {
  readonly #child: ChildProcess;
  readonly #lines: SaidLine[] = [];
  #stdout = '';
  #stderr = '';
  #failure: Error | undefined;
  #isClosed = false;

  constructor(
    command: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
  ) {
    const env = { PATH: process.env['PATH'] ?? '', ...options.env };
    // A group of its own, so that what it starts ends with it: git leaves its ssh behind when it is killed.
    this.#child = spawn(command, args, { cwd: options.cwd, env, stdio: 'pipe', detached: true });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#hear(text);
    });
    this.#child.once('error', (error) => (this.#failure = error));
    this.#child.once('close', () => (this.#isClosed = true));
  }

  get stdin(): NodeJS.WritableStream {
    if (this.#child.stdin === null) throw new Error('no standard input');
    return this.#child.stdin;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get hasEnded(): boolean {
    return this.#isClosed;
  }

  /** The first whole line of standard error that holds these words. */
  async line(words: string, limitMs = END_LIMIT_MS): Promise<SaidLine> {
    const find = () => this.#lines.find(({ text }) => text.includes(words));
    await until(
      () => find() !== undefined || this.#isClosed,
      limitMs,
      () => `'${words}' was not said: ${this.#told()}`,
    );
    const found = find();
    if (found === undefined) throw new Error(`it ended without '${words}': ${this.#told()}`);
    return found;
  }

  async ended(limitMs = END_LIMIT_MS): Promise<Result> {
    await until(
      () => this.#isClosed,
      limitMs,
      () => `it did not end: ${this.#told()}`,
    );
    if (this.#failure !== undefined) throw this.#failure;
    return { code: this.#child.exitCode ?? -1, stdout: this.#stdout, stderr: this.#stderr };
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it with all it has started, if it runs. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    if (!this.#isClosed && pid !== undefined) endGroup(pid);
    await this.ended();
  }

  #hear(text: string): void {
    const complete = this.#stderr.split('\n').length - 1;
    this.#stderr += text;
    const atMs = performance.now();
    for (const line of this.#stderr.split('\n').slice(complete, -1)) this.#lines.push({ text: line, atMs });
  }

  #told(): string {
    return `${this.#stdout}${this.#stderr}`;
  }
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}
