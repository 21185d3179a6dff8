/**
 * A user of this machine for the length of a test: an entry in /etc/passwd and a home, seen by what it runs alone.
 *
 * ssh asks /etc/passwd, not $HOME, where `~/.ssh` is; only with an entry of one's own do a person's command lines work
 * as they are written. Needs bwrap, and for a user that is not the tests' own, root and setpriv.
 */
import { chownSync, chmodSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { execute, type Result } from './door.js';
import { isRoot } from './machine.js';
import { temporaryFolder } from './temporary.js';

const ROOT = join(import.meta.dirname, '../..');
/** Where the account finds this checkout, which may lie in a folder that is closed to others. */
const CHECKOUT = '/mnt/gitmouth';
const NODE = '/mnt/node';

export class Account {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  /** Files of this machine, and what the account sees in their place. */
  readonly #replaced: readonly (readonly [path: string, by: string])[];
  readonly #etc: string;

  /** Where the tests are not root, every account has their own number. */
  constructor(
    name: string,
    uid: number,
    options: {
      readonly hidden?: readonly string[];
      readonly replaced?: Readonly<Record<string, string>>;
      /** The numeric id alone, as many containers run programs. */
      readonly hasNoEntry?: boolean;
    } = {},
  ) {
    this.name = name;
    this.uid = isRoot ? uid : (process.getuid?.() ?? uid);
    this.home = temporaryFolder(`home-${name}`);
    this.#etc = temporaryFolder('etc');
    const others = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && Number(line.split(':')[2]) !== this.uid);
    const entry = `${name}:x:${this.uid}:${this.uid}::${this.home}:/bin/sh`;
    writeFileSync(
      join(this.#etc, 'passwd'),
      `${[...(options.hasNoEntry === true ? [] : [entry]), ...others].join('\n')}\n`,
      { mode: 0o644 },
    );
    // Without an executable bit it is no program.
    writeFileSync(join(this.#etc, 'nothing'), '', { mode: 0o644 });
    const hidden = (options.hidden ?? []).map((path) => [path, join(this.#etc, 'nothing')] as const);
    const replaced = Object.entries(options.replaced ?? {}).map(([path, content]) => {
      const by = join(this.#etc, basename(path));
      writeFileSync(by, content, { mode: 0o755 });
      return [path, by] as const;
    });
    this.#replaced = [...hidden, ...replaced];
    mkdirSync(join(this.home, '.ssh'), { mode: 0o700 });
    // Stands for the person who compares the fingerprint and says yes.
    this.write('.ssh/config', 'StrictHostKeyChecking accept-new\n');
    this.own('.ssh');
    this.own('');
    chmodSync(this.home, 0o700);
  }

  /** The command line, ready to spawn, of something this account runs. */
  command(...argv: readonly string[]): [string, ...string[]] {
    const user = String(this.uid);
    const as = ['setpriv', '--reuid', user, '--regid', user, '--clear-groups'];
    return [
      'bwrap',
      ...['--die-with-parent', '--dev-bind', '/', '/', '--tmpfs', '/mnt'],
      ...['--ro-bind', ROOT, CHECKOUT, '--ro-bind', process.execPath, NODE],
      ...['--ro-bind', join(this.#etc, 'passwd'), '/etc/passwd'],
      ...this.#replaced.flatMap(([path, by]) => ['--ro-bind', by, realpathSync(path)]),
      ...['--chdir', this.home, '--'],
      ...(isRoot && this.uid !== 0 ? as : []),
      ...argv,
    ];
  }

  /** The command line of gitmouth, run by this account in its home. */
  gitmouth(...args: readonly string[]): [string, ...string[]] {
    return this.command(NODE, join(CHECKOUT, 'dist/app/main.js'), ...args);
  }

  /** Runs something to its end. */
  run(argv: readonly string[], env: Record<string, string> = {}): Promise<Result> {
    const [command, ...args] = this.command(...argv);
    return execute(command, args, { env: { HOME: this.home, ...env } });
  }

  /** Runs a command line as a shell does, in a folder. */
  shell(line: string, folder = this.home, env: Record<string, string> = {}): Promise<Result> {
    return this.run(['sh', '-c', `cd -- "$0" && ${line}`, folder], env);
  }

  write(path: string, content: string, mode = 0o600): void {
    writeFileSync(join(this.home, path), content, { mode });
    this.own(path);
  }

  own(path: string): void {
    if (isRoot) chownSync(join(this.home, path), this.uid, this.uid);
  }

  /** A key pair in `~/.ssh`; returns the public half's file. */
  async key(file: string, type: 'ed25519' | 'rsa' | 'ecdsa' = 'ed25519'): Promise<string> {
    const path = join(this.home, '.ssh', file);
    const made = await this.run(['ssh-keygen', '-q', '-t', type, '-N', '', '-C', `${this.name}@here`, '-f', path]);
    if (made.code !== 0) throw new Error(made.stderr);
    return `${path}.pub`;
  }

  /** A repository with one commit on `main`, in the home; returns its folder. */
  async repository(
    name: string,
    files: Readonly<Record<string, string>> = { 'README.md': 'hello\n' },
  ): Promise<string> {
    const folder = join(this.home, name);
    mkdirSync(folder);
    this.own(name);
    for (const [file, content] of Object.entries(files)) this.write(join(name, file), content);
    const identity = `-c user.name=${this.name} -c user.email=${this.name}@example.com`;
    const made = await this.shell(
      `git init -q -b main . && git add -A && git ${identity} commit -q -m 'a first commit'`,
      folder,
    );
    if (made.code !== 0) throw new Error(made.stderr);
    return folder;
  }
}
