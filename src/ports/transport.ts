import type { Readable, Writable } from 'node:stream';
import type { Dyno, DynoExit, DynoLink, SignalName } from '../domain/dyno.js';

/** The way into a dyno. */
export interface Transport {
  /** The kind of link it serves; the composition root chooses by it. */
  readonly kind: DynoLink['kind'];
  readonly capabilities: TransportCapabilities;

  /**
   * Starts the command in the dyno, or connects to it.
   *
   * @param signal aborts the opening: rejects with the signal's reason, and nothing is left running. An open session
   *   is ended by `close` alone.
   * @throws Fault (stage `connect`).
   */
  open(dyno: Dyno, signal: AbortSignal): Promise<DynoSession>;
}

/** What a transport can do. What it cannot, it says here, and the method does nothing. */
export interface TransportCapabilities {
  /** `signal` reaches the command, and `close` ends it. */
  readonly signals: boolean;
  /** The exit status is the command's own. */
  readonly exitStatus: boolean;
  /** Standard error comes apart from standard output. */
  readonly stderr: boolean;
  /** `pause` makes the dyno stand still. Without it backpressure alone holds a dyno back, once its pipes are full. */
  readonly pause: boolean;
}

/** A command running in a dyno. */
export interface DynoSession {
  /** Writes reach the command in order, with backpressure. Ending it is the command's end of input. */
  readonly stdin: Writable;
  /** Ends when the command has ended and everything it wrote has been read. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Settles exactly once: with how the command ended, or with a Fault (stage `run`) when the dyno was lost before that
   * could be known. It may settle before `stdout` and `stderr` have been read to their end.
   */
  readonly exit: Promise<DynoExit>;
  /** Sends a signal to the command itself. Does nothing once it has ended. */
  signal(name: SignalName): void;
  /**
   * Has everything in the dyno stand still, taking no processor time; its streams stay as they are. What is asked for
   * takes effect soon after. Idempotent; a signal and `close` wake the dyno by themselves. Never throws.
   */
  pause(): void;
  /** Has it go on where it stood. Idempotent; never throws. */
  resume(): void;
  /**
   * Ends it: asks the command to stop (TERM), waits a grace, then kills everything in the dyno. Idempotent; resolves
   * when nothing of it is left, never rejects. After an end by itself it only sweeps up what the command left behind.
   *
   * @param graceMs at most this, in milliseconds, in place of the transport's own grace; it shortens the grace of a close
   *   that has begun before, too.
   */
  close(graceMs?: number): Promise<void>;
}
