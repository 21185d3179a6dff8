/** Handling an open dyno session from a contract case. */
import assert from 'node:assert/strict';
import { finished } from 'node:stream/promises';
import type { Readable, Writable } from 'node:stream';
import type { Dyno } from '../domain/dyno.js';
import type { DynoSession } from '../ports/transport.js';
import { assertFault, never, within } from './contract.js';
import type { Script } from './dyno-scripts.js';
import type { TransportHarness, TransportLack } from './transport.js';

/** Opens a dyno for the script, hands it to the case, and closes it whatever happens: nothing may be left then. */
export async function inDyno(
  harness: TransportHarness,
  script: Script,
  use: (session: DynoSession, dyno: Dyno) => Promise<void>,
): Promise<void> {
  const dyno = await harness.dynoRunning(script);
  const session = await within(harness.transport.open(dyno, never()), 'the dyno to open');
  // A pipe whose other end has gone says so by an error; whoever joins the streams listens for it.
  for (const stream of [session.stdin, session.stdout, session.stderr]) stream.on('error', () => undefined);
  session.exit.catch(() => undefined);
  try {
    await use(session, dyno);
  } finally {
    await within(session.close(), 'close');
  }
  assert.deepEqual(await harness.running(), []);
}

/** Copies so many bytes and ends: by the end of its input, or by counting where none reaches it. */
export function echoOf(bytes: number, lacks: readonly TransportLack[]): Script {
  return lacks.includes('endOfInput') ? { kind: 'echo', bytes } : { kind: 'echo' };
}

/** That it exited with 0, where the transport can know; that it ended, where it can't. */
export async function assertDone({ transport }: TransportHarness, { exit }: DynoSession): Promise<void> {
  const told = within(exit, 'the exit');
  if (transport.capabilities.exitStatus) assert.deepEqual(await told, { kind: 'code', code: 0 });
  else await told.catch((error: unknown) => assertFault(error, 'run'));
}

/** Everything a stream gives until its end. */
export async function read(stream: Readable): Promise<Buffer> {
  return within(collect(stream), 'the end of a stream', 60_000);
}

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // A stream that was paused before does not flow by a listener alone.
  stream.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  if (!stream.readableEnded) await finished(stream, { writable: false });
  return Buffer.concat(chunks);
}

/** Waits until the command has said a line, and leaves the stream paused behind it. */
export async function line(stream: Readable, expected: string): Promise<void> {
  const heard = new Promise<string>((resolve) => {
    let text = '';
    const listen = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!text.includes('\n')) return;
      stream.off('data', listen);
      stream.pause();
      resolve(text);
    };
    stream.on('data', listen);
  });
  assert.equal(await within(heard, `the line ${expected}`), `${expected}\n`);
}

/** Writes with respect for backpressure. */
export async function write(stream: Writable, chunk: Uint8Array): Promise<void> {
  await within(
    new Promise<void>((resolve, reject) => stream.write(chunk, (error) => (error ? reject(error) : resolve()))),
    'a write to be taken',
    60_000,
  );
}

/**
 * Writes a chunk after the other, each when the one before was taken, until one is not taken for `stallMs`.
 * Returns how much was taken, or fails when that passes `limit`.
 */
export async function writeUntilStalled(stream: Writable, limit: number, stallMs = 300): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  for (let taken = 0; taken <= limit; taken += chunk.length) {
    const written = new Promise<boolean>((resolve) => stream.write(chunk, () => resolve(true)));
    const stalled = new AbortController();
    const timer = setTimeout(() => stalled.abort(), stallMs);
    const late = new Promise<boolean>((resolve) => stalled.signal.addEventListener('abort', () => resolve(false)));
    const went = await Promise.race([written, late]);
    clearTimeout(timer);
    if (!went) return taken;
  }
  return assert.fail(`a reader that reads nothing was given more than ${limit} bytes`);
}
