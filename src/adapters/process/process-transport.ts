import type { Dyno } from '../../domain/dyno.js';
import type { DynoSession, Transport, TransportCapabilities } from '../../ports/transport.js';
import { HOOKS_FOLDER } from './assets.js';
import { DynoProcess } from './dyno-process.js';
import { FENCE_AT, gitCommand, HOOKS_AT, OPERATOR_HOOKS_AT } from './git-command.js';
import { removeDecoys } from './decoys.js';
import type { Mount, Sandbox, SandboxJob } from './sandbox.js';

export interface ProcessTransportOptions {
  readonly sandbox: Sandbox;
  /** From TERM to KILL. */
  readonly graceMs: number;
  /** Folder of the operator's hooks, run for every app. */
  readonly operatorHooks?: string;
  /** What runs in place of git's command, for tests of how commands end. */
  readonly commandOf?: typeof gitCommand;
}

/** Dynos as processes of this machine. */
export class ProcessTransport implements Transport {
  readonly kind = 'process';
  readonly capabilities: TransportCapabilities = { signals: true, exitStatus: true, stderr: true, pause: true };
  readonly #options: ProcessTransportOptions;
  readonly #mounts: readonly Mount[];

  constructor(options: ProcessTransportOptions) {
    this.#options = options;
    this.#mounts = [
      { hostPath: HOOKS_FOLDER, at: HOOKS_AT },
      ...(options.operatorHooks === undefined ? [] : [{ hostPath: options.operatorHooks, at: OPERATOR_HOOKS_AT }]),
    ];
  }

  async open(dyno: Dyno, signal: AbortSignal): Promise<DynoSession> {
    signal.throwIfAborted();
    const job = this.#jobOf(dyno);
    await removeDecoys(this.#options.sandbox, job.repository, signal);
    const process = this.#options.sandbox.spawn(job);
    const stop = (): void => void process.kill();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await process.started;
      signal.throwIfAborted();
      return new DynoProcess(process, this.#options.graceMs);
    } catch (error) {
      await process.kill();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #jobOf({ id, link }: Dyno): SandboxJob {
    if (link.kind !== 'process') throw new Error(`dyno ${id} has a link of kind ${link.kind}`);
    const { fence } = link;
    return {
      repository: link.repository,
      access: link.plan.access,
      argv: (this.#options.commandOf ?? gitCommand)(link.plan.service),
      environment: {
        ...link.plan.environment,
        GITMOUTH_OPERATOR_HOOKS: OPERATOR_HOOKS_AT,
        ...(fence === undefined ? {} : { GITMOUTH_FENCE: FENCE_AT, GITMOUTH_LOCK_TOKEN: String(fence.token) }),
      },
      // The folder, as a file that is replaced would stay what it was in a dyno that has it already.
      mounts: fence === undefined ? this.#mounts : [...this.#mounts, { hostPath: fence.folder, at: FENCE_AT }],
    };
  }
}
