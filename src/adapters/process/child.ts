import { spawn, type ChildProcess, type SpawnOptions, type StdioOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Duplex, PassThrough, pipeline, type Readable, type Writable } from 'node:stream';
import { Fault } from '../../domain/fault.js';

/** A child of this process with its pipes, none of which can throw. */
export interface Child {
  readonly process: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Descriptors 3, 4, …, as many as were asked for. */
  readonly extra: readonly Duplex[];
  /** Resolves when the child has ended and been reaped, or never came to be; with the error in that case. */
  readonly ended: Promise<Error | undefined>;
}

export interface ChildOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  /** How many pipes beside the first three. */
  readonly extraPipes: number;
  /** Descriptors of ours that the child must not get. */
  readonly withhold: readonly number[];
}

/** Until then its number is given to no other process. */
export function isReaped({ process: { exitCode, signalCode } }: Child): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Starts a program, never through a shell. @throws Fault when the system can't. */
export function startChild(file: string, args: readonly string[], options: ChildOptions): Child {
  const emptyDescriptor = openSync('/dev/null', 'r+');
  try {
    return withPipes(spawn(file, args, spawnOptions(options, emptyDescriptor)), options.extraPipes);
  } catch (cause) {
    throw new Fault('GM_DYNO_START', 'connect', `${file} could not be started`, { cause });
  } finally {
    closeSync(emptyDescriptor);
  }
}

function spawnOptions(options: ChildOptions, emptyDescriptor: number): SpawnOptions {
  return {
    cwd: options.cwd,
    env: options.environment,
    stdio: descriptors(options, emptyDescriptor),
    // A session of its own: no controlling terminal to push input into (CVE-2017-5226), and a Ctrl-C that is meant
    // for the server reaches no git in the middle of a push.
    detached: true,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  };
}

function descriptors(options: ChildOptions, emptyDescriptor: number): StdioOptions {
  const pipes = 3 + options.extraPipes;
  const count = Math.max(pipes, ...options.withhold.map((descriptor) => descriptor + 1));
  return Array.from({ length: count }, (_, descriptor) => {
    if (descriptor < pipes) return 'pipe' as const;
    // 'ignore' leaves descriptors above 2 as they are: only putting another in its place takes one away.
    return options.withhold.includes(descriptor) ? emptyDescriptor : ('ignore' as const);
  });
}

function withPipes(process: ChildProcess, extraPipes: number): Child {
  const ended = new Promise<Error | undefined>((resolve) => {
    process.once('error', resolve);
    process.once('exit', () => resolve(undefined));
  });
  const { stdin, stdout, stderr } = process;
  const extra = process.stdio.slice(3, 3 + extraPipes).filter((stream) => stream instanceof Duplex);
  if (stdin === null || stdout === null || stderr === null || extra.length !== extraPipes)
    throw new Error('no pipes to the child could be made');
  // A child that is gone answers writes with EPIPE, and reads may fail with ECONNRESET; how it ended is told apart.
  for (const stream of [stdin, stdout, stderr, ...extra]) stream.on('error', () => undefined);
  return { process, stdin, stdout: kept(stdout), stderr: kept(stderr), extra, ended };
}

/**
 * When a child exits, Node reads away whatever nobody is reading from its pipes at that moment (`flushStdio`). Through
 * a stream of our own, the last words stay until somebody wants them.
 */
function kept(pipe: Readable): Readable {
  const stream = new PassThrough();
  pipeline(pipe, stream, () => undefined);
  return stream;
}
