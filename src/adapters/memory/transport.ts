import type { Dyno } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import type { Clock } from '../../ports/clock.js';
import type { Transport } from '../../ports/transport.js';
import { MemoryDynoSession, type MemoryCommand } from './dyno-session.js';
import { Trouble } from './trouble.js';

/** Runs functions as if they were commands in a dyno. */
export class MemoryTransport implements Transport {
  readonly kind = 'memory';
  readonly capabilities = { signals: true, exitStatus: true, stderr: true, pause: true };
  readonly trouble = new Trouble();
  readonly #sessions = new Map<string, MemoryDynoSession>();

  constructor(
    private readonly commandOf: (dyno: Dyno) => MemoryCommand | undefined,
    private readonly clock: Clock,
    public graceMs = 5_000,
  ) {}

  async open(dyno: Dyno, signal: AbortSignal): Promise<MemoryDynoSession> {
    await this.trouble.meet(signal);
    const command = this.commandOf(dyno);
    if (command === undefined) throw new Fault('GM_DYNO_START', 'connect', `no command for the dyno ${dyno.id}`);
    const session = new MemoryDynoSession(command, this.clock, this.graceMs);
    this.#sessions.set(dyno.id, session);
    return session;
  }

  /** The dynos whose command still runs. */
  running(): readonly string[] {
    return [...this.#sessions].filter(([, session]) => !session.isOver).map(([id]) => id);
  }

  /** The dynos that were made to stand still. */
  paused(): readonly string[] {
    return [...this.#sessions].filter(([, session]) => session.isPaused).map(([id]) => id);
  }

  /** Loses the way into an open dyno. */
  lose(dyno: Dyno): void {
    this.#sessions.get(dyno.id)?.lose();
  }
}
