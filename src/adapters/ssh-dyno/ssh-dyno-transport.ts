import type { Dyno } from '../../domain/dyno.js';
import { printable } from '../../domain/words/printable.js';
import type { DynoSession, Transport, TransportCapabilities } from '../../ports/transport.js';
import { Trouble } from '../remote/trouble.js';
import { checkInternals } from '../ssh2/self-check.js';
import { checkClientKey } from './client-key.js';
import { shellWord } from './command-line.js';
import { DynoConnection } from './connection.js';
import { GUARD_LIMITS, type SshDynoSettings } from './settings.js';
import { SshDynoSession } from './ssh-dyno-session.js';
import { startCommand } from './start-command.js';
import { targetOf, type SshLink } from './target.js';

/** Dynos that have an SSH server of their own: one connection each, and one command on it. */
export class SshDynoTransport implements Transport {
  readonly kind = 'ssh';
  /**
   * What the protocol has. Which SSH servers pass signals on is in docs/dynos-over-ssh.md. Pausing is not in it: the
   * signals STOP and CONT are none of RFC 4254 6.10, and would reach the command alone.
   */
  readonly capabilities: TransportCapabilities = { signals: true, exitStatus: true, stderr: true, pause: false };
  readonly #settings: SshDynoSettings;

  /** @throws Error when the installed ssh2 is not the one this adapter fits, or the client key is none. */
  constructor(settings: SshDynoSettings) {
    const problem = checkInternals();
    if (problem !== undefined) throw new Error(problem);
    checkClientKey(settings.clientKey);
    this.#settings = settings;
  }

  async open(dyno: Dyno, signal: AbortSignal): Promise<DynoSession> {
    signal.throwIfAborted();
    const { link } = dyno;
    if (link.kind !== 'ssh') throw new Error(`dyno ${dyno.id} has a link of kind ${link.kind}`);
    const { clientKey, connectMs } = this.#settings;
    const connection = new DynoConnection(targetOf(link), clientKey, { ...GUARD_LIMITS, ...this.#settings });
    const giveUp = () => {
      connection.fail(signal.reason);
    };
    const timer = setTimeout(() => {
      connection.fail(Trouble.late(`git did not run within ${connectMs} ms`));
    }, connectMs);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await this.#start(connection, link);
    } catch (error) {
      connection.fail(error);
      await connection.end();
      signal.throwIfAborted();
      throw error instanceof Trouble ? error.toFault('connect', whose(link)) : error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #start(connection: DynoConnection, link: SshLink): Promise<SshDynoSession> {
    const { variables, graceMs, commandOf = gitCommand } = this.#settings;
    const { channel, outflow } = await connection.logIn();
    const stdin = await connection.unlessOver(channel.open(outflow));
    await connection.unlessOver(startCommand(channel, link.plan, variables, commandOf(link)));
    return new SshDynoSession(connection, channel, stdin, graceMs);
  }
}

function gitCommand({ plan, repository }: SshLink): string {
  return `${plan.service} ${shellWord(repository)}`;
}

function whose({ host, port }: SshLink): string {
  return `the dyno's SSH server at ${printable(host)}:${port}`;
}
