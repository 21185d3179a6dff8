/** The built program as its users meet it: started on a free port, with real keys, real git and real ssh around it. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { temporaryFolder } from './temporary.js';

export const PROGRAM = join(import.meta.dirname, '../../dist/app/main.js');
const START_LIMIT_MS = 20_000;
const COMMAND_LIMIT_MS = 120_000;

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the server logged of one request. */
export interface SessionLine {
  readonly type: 'session-ended';
  readonly session: string;
  readonly user: string;
  readonly app?: string;
  readonly service?: string;
  readonly protocol?: number;
  readonly verdict: string;
  readonly exit: number | string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly [more: string]: unknown;
}

/** Runs a program to its end; never rejects for its exit status. */
export function execute(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; input?: string; limitMs?: number } = {},
): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      {
        cwd: options.cwd,
        env: { PATH: process.env['PATH'] ?? '', ...options.env },
        timeout: options.limitMs ?? COMMAND_LIMIT_MS,
        killSignal: 'SIGKILL',
        maxBuffer: 256 * 1024 ** 2,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** A person with a key, a home of their own and a `known_hosts` that holds this door alone. */
export class Person {
  readonly name: string;
  readonly home: string;
  readonly keyFile: string;
  readonly #door: Door;

  constructor(name: string, home: string, keyFile: string, door: Door) {
    this.name = name;
    this.home = home;
    this.keyFile = keyFile;
    this.#door = door;
  }

  get publicKeyFile(): string {
    return `${this.keyFile}.pub`;
  }

  /** `ssh://…` of an app. */
  url(app: string): string {
    return `ssh://git@127.0.0.1:${this.#door.port}/${app}.git`;
  }

  /** Where ssh connects to, for command lines of a test's own. */
  get target(): readonly string[] {
    return ['-p', String(this.#door.port), 'git@127.0.0.1'];
  }

  get sshOptions(): readonly string[] {
    const knownHosts = join(this.home, 'known_hosts');
    const known = this.#door.knownHosts();
    // Never rewritten in place without need: an ssh that was started just before may be reading it.
    if (!existsSync(knownHosts) || readFileSync(knownHosts, 'utf8') !== known) writeFileSync(knownHosts, known);
    return [
      ...['-F', '/dev/null', '-i', this.keyFile, '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none'],
      ...['-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'],
    ];
  }

  get environment(): Record<string, string> {
    return {
      HOME: this.home,
      GIT_SSH_COMMAND: ['ssh', ...this.sshOptions].join(' '),
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      LC_ALL: 'C.UTF-8',
    };
  }

  git(cwd: string, ...args: string[]): Promise<Result> {
    return execute('git', args, { cwd, env: this.environment });
  }

  /** As `git`, for what must succeed: what it wrote to standard output, without the last line end. */
  async must(cwd: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.git(cwd, ...args);
    if (code !== 0) throw new Error(`git ${args.join(' ')} ended with ${code}:\n${stderr}`);
    return stdout.trimEnd();
  }

  ssh(args: readonly string[], options: { input?: string; before?: readonly string[] } = {}): Promise<Result> {
    const { before = [], ...rest } = options;
    const target = ['-p', String(this.#door.port), ...before, 'git@127.0.0.1', ...args];
    return execute('ssh', [...this.sshOptions, ...target], { env: { HOME: this.home }, ...rest });
  }

  /** A repository with one commit, on `main`. */
  async repository(files: Readonly<Record<string, string>> = { 'README.md': 'hello\n' }): Promise<string> {
    const folder = temporaryFolder('work');
    await this.git(folder, 'init', '--quiet', '--initial-branch=main');
    await this.git(folder, 'config', 'user.name', this.name);
    await this.git(folder, 'config', 'user.email', `${this.name}@example.com`);
    await this.commit(folder, files);
    return folder;
  }

  async commit(folder: string, files: Readonly<Record<string, string>>, message = 'a change'): Promise<void> {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    await this.git(folder, 'add', '--all');
    const result = await this.git(folder, 'commit', '--quiet', '--message', message);
    if (result.code !== 0) throw new Error(`git commit: ${result.stderr}`);
  }
}

/** A running gitmouth. */
export class Door {
  readonly data: string;
  #environment: Record<string, string>;
  #child: ChildProcess | undefined;
  #port = 0;
  #log = '';
  #said = '';

  constructor(environment: Record<string, string> = {}) {
    this.data = environment['GITMOUTH_DATA'] ?? join(temporaryFolder('door'), 'data');
    this.#environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: temporaryFolder('home'),
      GITMOUTH_DATA: this.data,
      GITMOUTH_LISTEN: '127.0.0.1:0',
      GITMOUTH_LOG: 'json',
      GITMOUTH_LOG_LEVEL: 'debug',
      ...environment,
    };
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** Of the server and of every command. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  /** For a server on the same data folder that was started in another way. */
  use(port: number): void {
    this.#port = port;
  }

  /** Standard error: what is said to people. */
  get said(): string {
    return this.#said;
  }

  /** Starts, or starts again; resolves once it listens. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [PROGRAM, 'serve'], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    const from = this.events('server-started').length;
    await until(
      () => this.events('server-started').length > from || child.exitCode !== null,
      START_LIMIT_MS,
      () => `the server did not start:\n${this.#said}${this.#log}`,
    );
    if (child.exitCode !== null) throw new Error(`the server ended at once:\n${this.#said}${this.#log}`);
    const started = this.events('server-started').at(-1);
    this.#port = Number(String(started?.['address']).split(':').at(-1));
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Has it read its configuration anew. @returns what the log tells of that. */
  async reload(): Promise<Record<string, unknown>> {
    const count = this.events('config-reloaded').length;
    this.signal('SIGHUP');
    await until(
      () => this.events('config-reloaded').length > count,
      20_000,
      () => `no reload:\n${this.said}${this.log}`,
    );
    return this.events('config-reloaded').at(-1) ?? {};
  }

  /** Resolves with the exit status once the program has ended. */
  async ended(limitMs = 30_000): Promise<number | NodeJS.Signals> {
    const child = this.#child;
    if (child === undefined) throw new Error('not started');
    await until(
      () => child.exitCode !== null || child.signalCode !== null,
      limitMs,
      () => 'the server did not end',
    );
    return child.exitCode ?? child.signalCode ?? -1;
  }

  async stop(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.signal('SIGTERM');
    await this.ended().catch(async () => {
      this.signal('SIGKILL');
      await this.ended();
    });
  }

  /** Runs one command of the program on the same data folder. */
  cli(...args: string[]): Promise<Result> {
    const { GITMOUTH_LISTEN: _listen, ...env } = this.#environment;
    return execute(process.execPath, [PROGRAM, ...args], { env });
  }

  /** A user with a key of this kind, registered unless `stranger`. */
  async person(
    name: string,
    options: { type?: 'ed25519' | 'rsa' | 'ecdsa'; isStranger?: boolean } = {},
  ): Promise<Person> {
    const home = temporaryFolder(name);
    chmodSync(home, 0o700);
    const keyFile = join(home, 'id');
    const type = options.type ?? 'ed25519';
    await execute('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', name, '-f', keyFile]);
    if (options.isStranger !== true) {
      const added = await this.cli('user', 'add', name, '--key', `${keyFile}.pub`);
      if (added.code !== 0) throw new Error(added.stderr);
    }
    return new Person(name, home, keyFile, this);
  }

  knownHosts(): string {
    return ['ssh_host_ed25519_key', 'ssh_host_rsa_key']
      .map((file) => join(this.data, 'host-keys', file))
      .filter((file) => existsSync(file))
      .map((file) => `[127.0.0.1]:${this.#port} ${publicHalf(file)}\n`)
      .join('');
  }

  /** Log lines of one type, parsed. */
  events(type: string): readonly Record<string, unknown>[] {
    return this.#log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((event) => event['type'] === type);
  }

  /** The log as it was written. */
  get log(): string {
    return this.#log;
  }

  /** The log lines of ended sessions, once there are at least `count`. */
  async sessions(count = 1): Promise<readonly SessionLine[]> {
    await until(
      () => this.events('session-ended').length >= count,
      20_000,
      () => `no ${count} sessions:\n${this.#log}`,
    );
    return this.events('session-ended') as unknown as SessionLine[];
  }

  /** The latest log line of an ended session with these facts, once there is one. */
  async session(facts: Partial<SessionLine>): Promise<SessionLine> {
    const find = () =>
      (this.events('session-ended') as unknown as SessionLine[]).findLast((line) =>
        Object.entries(facts).every(([name, value]) => line[name] === value),
      );
    await until(
      () => find() !== undefined,
      20_000,
      () => `no session with ${JSON.stringify(facts)}:\n${this.#log}`,
    );
    return find() as SessionLine;
  }

  /** What `app list` tells of one app; undefined when there is none. */
  async app(name: string): Promise<{ name: string; owner: string; branch?: string } | undefined> {
    const { stdout } = await this.cli('app', 'list', '--json');
    return (JSON.parse(stdout) as { name: string; owner: string; branch?: string }[]).find((app) => app.name === name);
  }

  /** Git on an app's repository as it lies on this disk, whoever owns it; what it wrote, without the last line end. */
  async inRepository(app: string, ...args: string[]): Promise<string> {
    const cwd = this.repository(app);
    const options = ['-c', 'safe.directory=*', '-c', 'core.hooksPath=/dev/null'];
    const { code, stdout, stderr } = await execute('git', [...options, ...args], { cwd });
    if (code !== 0) throw new Error(`git ${args.join(' ')} in ${app} ended with ${code}:\n${stderr}`);
    return stdout.trimEnd();
  }

  repository(app: string): string {
    return join(this.data, 'repositories', `${app}.git`);
  }
}

function publicHalf(privateFile: string): string {
  const cached = publicHalves.get(privateFile);
  if (cached !== undefined) return cached;
  const listed = hostKeyLine(readFileSync(privateFile, 'utf8'));
  publicHalves.set(privateFile, listed);
  return listed;
}

const publicHalves = new Map<string, string>();

function hostKeyLine(privateKey: string): string {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`;
}

/** Waits for a condition, polling; fails with what `why` says after `limitMs`. */
export async function until(condition: () => boolean, limitMs: number, why: () => string): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(why());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
