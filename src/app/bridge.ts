import { pipeline } from 'node:stream/promises';
import type { Readable, Writable } from 'node:stream';
import type { DynoExit } from '../domain/dyno.js';
import type { ClientChannel } from '../ports/client-channel.js';
import type { DynoSession } from '../ports/transport.js';

/** Bytes that went each way, counted as they pass. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
}

/**
 * Joins a client and a dyno until the first end wins: the command's exit, the client's leaving or a limit.
 *
 * Resolves with the exit once everything the command wrote was handed to the client's streams, which stay open for
 * last words. Rejects with the signal's reason when it aborts, or with the dyno's fault. Closes neither side.
 */
export async function bridge(
  channel: ClientChannel,
  dyno: DynoSession,
  traffic: Traffic,
  signal: AbortSignal,
): Promise<DynoExit> {
  signal.throwIfAborted();
  // That the command stopped reading is its own business (EPIPE); that the client is gone, the signal's.
  const input = pump(channel.stdin, dyno.stdin, true, signal, (bytes) => (traffic.bytesIn += bytes));
  const count = (bytes: number) => (traffic.bytesOut += bytes);
  const output = Promise.all([
    pump(dyno.stdout, channel.stdout, false, signal, count),
    pump(dyno.stderr, channel.stderr, false, signal, count),
  ]);
  input.catch(() => undefined);
  output.catch(() => undefined);
  channel.onSignal((name) => {
    dyno.signal(name);
  });
  // A pipeline into a client that vanished may never settle, so every wait also listens to the signal.
  const exit = await unlessAborted(dyno.exit, signal);
  await unlessAborted(output, signal);
  return exit;
}

/** What a joined pair holds in queues on our side. */
export function heldBytes(channel: ClientChannel, dyno: DynoSession): number {
  const pipes = dyno.stdin.writableLength + dyno.stdout.readableLength + dyno.stderr.readableLength;
  return channel.heldBytes() + pipes;
}

function pump(
  from: Readable,
  to: Writable,
  end: boolean,
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<void> {
  const done = pipeline(from, to, { end, signal });
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
  });
  return done;
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => undefined as void;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => {
      reject(signal.reason);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
