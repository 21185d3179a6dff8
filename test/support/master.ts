/** One SSH connection that many sessions share, as people set it up with ControlMaster. */
import { join } from 'node:path';
import { execute, until, type Person, type Result } from './door.js';
import { Running } from './running.js';
import { temporaryFolder } from './temporary.js';

const OPEN_LIMIT_MS = 20_000;

export class Master {
  readonly process: Running;
  readonly #person: Person;
  readonly #socket: string;

  private constructor(person: Person) {
    this.#person = person;
    // Short, since the path of a socket can't be long (unix(7)).
    this.#socket = join(temporaryFolder('m'), 's');
    const options = [...person.sshOptions, '-o', 'ControlMaster=yes', '-o', `ControlPath=${this.#socket}`, '-N'];
    this.process = new Running('ssh', [...options, ...person.target], { env: { HOME: person.home } });
  }

  static async open(person: Person): Promise<Master> {
    const master = new Master(person);
    let isOpen = false;
    const ask = async () => {
      while (!isOpen && !master.process.hasEnded) isOpen = (await master.#control('check')).code === 0;
    };
    const asking = ask();
    await until(
      () => isOpen || master.process.hasEnded,
      OPEN_LIMIT_MS,
      () => `no connection: ${master.process.stderr}`,
    );
    await asking;
    if (!isOpen) throw new Error(`no connection: ${master.process.stderr}`);
    return master;
  }

  /** For `git`: every ssh it starts goes over this connection and never makes one of its own. */
  get environment(): Record<string, string> {
    const through = ['-o', 'ControlMaster=no', '-o', `ControlPath=${this.#socket}`, '-o', 'ProxyCommand=false'];
    return {
      ...this.#person.environment,
      GIT_SSH_COMMAND: ['ssh', ...this.#person.sshOptions, ...through].join(' '),
    };
  }

  git(cwd: string, ...args: string[]): Promise<Result> {
    return execute('git', args, { cwd, env: this.environment });
  }

  async close(): Promise<void> {
    await this.#control('exit');
    await this.process.kill();
  }

  #control(command: 'check' | 'exit'): Promise<Result> {
    const args = ['-F', '/dev/null', '-o', `ControlPath=${this.#socket}`, '-O', command, 'git@127.0.0.1'];
    return execute('ssh', args, { env: { HOME: this.#person.home } });
  }
}
