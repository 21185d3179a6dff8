import { spawn } from 'node:child_process';
import { REPOSITORY, type JobResult, type RunInRepository } from '../../../src/adapters/embedded/repository-run.js';
import { temporaryFolder } from '../../support/temporary.js';

/** Runs jobs as they are on this machine, as the user given or the one who runs the tests. */
export function unsandboxed(as?: { uid: number; gid: number }): RunInRepository {
  const home = temporaryFolder('home');
  return (job, signal) =>
    new Promise<JobResult>((resolve, reject) => {
      signal?.throwIfAborted();
      const places = [...(job.mounts ?? []), { hostPath: job.repository, at: REPOSITORY }];
      const [program = '', ...args] = job.argv.map((text) => onHost(text, places));
      const child = spawn(program, args, {
        ...as,
        cwd: '/',
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', GIT_CONFIG_NOSYSTEM: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' as const }),
      });
      const said = { stdout: '', stderr: '' };
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
      child.on('error', (error) => reject(signal?.aborted === true ? (signal.reason as Error) : error));
      child.on('close', (code) => resolve({ code: code ?? 255, ...said }));
    });
}

function onHost(text: string, places: readonly { hostPath: string; at: string }[]): string {
  const [, before = '', path = ''] = /^([^/]*=)?(\/.*)$/s.exec(text) ?? [];
  const place = places.find(({ at }) => path === at || path.startsWith(`${at}/`));
  return place === undefined ? text : `${before}${place.hostPath}${path.slice(place.at.length)}`;
}
