import { constants } from 'node:os';
import { Fault } from '../../domain/fault.js';
import type { Mount, Sandbox, SandboxProcess } from './sandbox.js';
import { textOf } from './text-of.js';

/** A command of gitmouth's own on one repository. */
export interface RepositoryJob {
  readonly repository: string;
  readonly access: 'read' | 'write';
  readonly argv: readonly [string, ...string[]];
  readonly mounts?: readonly Mount[];
}

/** What came of it. Standard output and error are cut at 1 MiB each. */
export interface JobResult {
  /** 128 + n when it died by signal n, as a shell tells it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type RunJob = (job: RepositoryJob, signal?: AbortSignal) => Promise<JobResult>;

const CAPTURE_BYTES = 1024 ** 2;
export const DEFAULT_RUN_LIMIT_MS = 60_000;

/**
 * Runs commands in the sandbox to their end, without input or network.
 *
 * The returned function rejects with the signal's reason when it aborts, and with a Fault when the command could not
 * be run or did not end in time. Nothing is left running in any case.
 */
export function runInSandbox(sandbox: Sandbox, limitMs: number = DEFAULT_RUN_LIMIT_MS): RunJob {
  return async (job, signal) => {
    signal?.throwIfAborted();
    const process = sandbox.spawn({ ...job, network: 'none' });
    let isLate = false;
    const throwIfStopped = (): void => {
      signal?.throwIfAborted();
      if (isLate) throw new Fault('GM_TIMEOUT', 'run', `${job.argv.join(' ')} took longer than ${limitMs} ms`);
    };
    const stop = (): void => void process.kill();
    const limit = setTimeout(() => {
      isLate = true;
      stop();
    }, limitMs);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const result = await resultOf(process);
      throwIfStopped();
      return result;
    } catch (error) {
      throwIfStopped();
      throw error;
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener('abort', stop);
      await process.kill();
    }
  };
}

async function resultOf(process: SandboxProcess): Promise<JobResult> {
  await process.started;
  process.stdin.end();
  const [stdout, stderr, exit] = await Promise.all([
    textOf(process.stdout, CAPTURE_BYTES),
    textOf(process.stderr, CAPTURE_BYTES),
    process.exit,
  ]);
  return { code: exit.kind === 'code' ? exit.code : 128 + constants.signals[`SIG${exit.signal}`], stdout, stderr };
}
