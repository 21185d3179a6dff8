import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The first process of a sandbox's PID namespace: number on this machine, and identity of the namespace. */
export interface NamespaceInit {
  readonly pid: number;
  readonly pidNamespace: number;
}

/** What bubblewrap writes to `--json-status-fd`: one JSON document a line (bwrap(1)). */
export class StatusReport {
  /** Undefined when bubblewrap ended before it made a namespace. */
  readonly init: Promise<NamespaceInit | undefined>;
  /** Undefined when bubblewrap ended without telling: it was killed, or never came to run the command. */
  readonly exitCode: Promise<number | undefined>;
  /** Resolves when no process holds the other end any more. */
  readonly closed: Promise<void>;

  constructor(stream: Readable) {
    const lines = createInterface({ input: stream, crlfDelay: Infinity });
    this.init = new Promise((resolve) => {
      lines.on('line', (line) => resolveKnown(resolve, initOf(line)));
      lines.once('close', () => resolve(undefined));
    });
    this.exitCode = new Promise((resolve) => {
      lines.on('line', (line) => resolveKnown(resolve, exitCodeOf(line)));
      lines.once('close', () => resolve(undefined));
    });
    this.closed = new Promise((resolve) => lines.once('close', resolve));
    // When the spawn itself fails the stream may close without an end.
    stream.once('close', () => lines.close());
  }
}

function resolveKnown<Value>(resolve: (value: Value) => void, value: Value | undefined): void {
  if (value !== undefined) resolve(value);
}

function initOf(line: string): NamespaceInit | undefined {
  const pid = /"child-pid": (\d{1,10})[,\s}]/.exec(line)?.[1];
  const pidNamespace = /"pid-namespace": (\d{1,15})[,\s}]/.exec(line)?.[1];
  if (pid === undefined || pidNamespace === undefined) return undefined;
  return { pid: Number(pid), pidNamespace: Number(pidNamespace) };
}

function exitCodeOf(line: string): number | undefined {
  const code = /^\{ ?"exit-code": (\d{1,3}) ?\}$/.exec(line)?.[1];
  return code === undefined || Number(code) > 255 ? undefined : Number(code);
}
