import type { Readable, Writable } from 'node:stream';
import type { Verdict } from '../domain/verdict.js';
import type { SignalName } from '../domain/dyno.js';

/** The client's side of one session: three streams, and an end. */
export interface ClientChannel {
  /** What the client sends. Ends at its end of input. */
  readonly stdin: Readable;
  /**
   * What the client reads. A write calls back once the client's window, the connection's queue and the socket have
   * room: a client that reads slowly slows the writer. After `gone`, writes fail.
   */
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Aborts, with a Departure as its reason, when the client leaves or its channel or connection closes. */
  readonly gone: AbortSignal;
  /** Bytes held for this channel in queues on our side, not counting the kernel's. */
  heldBytes(): number;
  /** Tells of each signal the client sends (RFC 4254 6.9) that it may send. One listener. */
  onSignal(listener: (name: SignalName) => void): void;
  /**
   * Says how it came out, in this order: the verdict's words on standard error, end of data, exit status or signal,
   * close. Everything written before goes out before. Idempotent; resolves when it has been handed to the
   * connection or the client is gone, and never rejects.
   */
  finish(verdict: Verdict): Promise<void>;
}
