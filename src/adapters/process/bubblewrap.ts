import type { DynoLimits } from '../../domain/dyno-policy.js';
import { Fault } from '../../domain/fault.js';
import { bubblewrapArguments, viewMounts, type View, type ViewMount } from './bubblewrap-arguments.js';
import { BubblewrapProcess } from './bubblewrap-process.js';
import { startChild, type Child } from './child.js';
import { inheritedDescriptors } from './inherited-descriptors.js';
import { underLimits } from './limits.js';
import { wayAs, type Way } from './opened-way.js';
import { findPrograms, PROGRAM_PATH, type Programs } from './programs.js';
import { checkRunAs } from './run-as.js';
import type { HostUser, Network, Sandbox, SandboxJob, SandboxProcess } from './sandbox.js';

export interface BubblewrapOptions {
  readonly limits: DynoLimits;
  readonly network: Network;
  /** Whom jobs run as on this machine. Needed for a server that runs as root; otherwise they run as the server does. */
  readonly runAs?: HostUser;
  /** Put over every repository's `config`. Readable by everybody. */
  readonly configFile?: string;
  readonly programs?: Programs;
}

const STATUS_DESCRIPTOR = 3;
const ARGUMENTS_DESCRIPTOR = 4;

/** Jobs in namespaces of their own, made by bubblewrap(1). */
export class BubblewrapSandbox implements Sandbox {
  readonly name = 'bubblewrap';
  readonly #options: BubblewrapOptions;
  readonly #programs: Programs;
  readonly #withhold: readonly number[];

  constructor(options: BubblewrapOptions) {
    checkRunAs(options.runAs);
    this.#options = options;
    this.#programs = options.programs ?? findPrograms();
    this.#withhold = inheritedDescriptors();
  }

  spawn(job: SandboxJob): SandboxProcess {
    const view = this.#viewOf(job);
    const { prefix, mounts } = this.#wayTo(viewMounts(view));
    const bwrap = this.#need('bwrap');
    const command = underLimits('prlimit', view.limits, { processes: true }, job.argv);
    const [file = bwrap, ...args] = [
      ...prefix,
      bwrap,
      ...['--json-status-fd', String(STATUS_DESCRIPTOR), '--args', String(ARGUMENTS_DESCRIPTOR), '--', ...command],
    ];
    const child = startChild(file, args, {
      cwd: '/',
      environment: { PATH: PROGRAM_PATH, LANG: 'C.UTF-8' },
      extraPipes: 2,
      withhold: this.#withhold,
    });
    return started(child, bubblewrapArguments(view, mounts));
  }

  #viewOf(job: SandboxJob): View {
    const { limits, network, configFile } = this.#options;
    return {
      repository: job.repository,
      access: job.access,
      mounts: job.mounts ?? [],
      environment: job.environment ?? {},
      limits: job.limits ?? limits,
      network: job.network ?? network,
      ...(configFile === undefined ? {} : { configFile }),
    };
  }

  #wayTo(mounts: readonly ViewMount[]): Way {
    const { runAs } = this.#options;
    if (runAs === undefined) return { prefix: [], mounts };
    return wayAs(runAs, { setpriv: this.#need('setpriv'), unshare: this.#need('unshare') }, mounts);
  }

  #need(name: keyof Programs): string {
    const path = this.#programs[name];
    if (path === undefined) throw new Fault('GM_DYNO_START', 'connect', `the program ${name} is not installed`);
    return path;
  }
}

/** The arguments go through a pipe: a command line, unlike a pipe, is shown to everybody on this machine. */
function started(child: Child, args: readonly string[]): SandboxProcess {
  const [status, argumentPipe] = child.extra;
  if (status === undefined || argumentPipe === undefined) throw new Error('a pipe to bubblewrap is missing');
  argumentPipe.once('finish', () => argumentPipe.destroy());
  argumentPipe.end(args.map((argument) => `${argument}\0`).join(''));
  return new BubblewrapProcess(child, status);
}
