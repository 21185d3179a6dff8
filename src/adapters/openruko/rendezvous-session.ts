import { PassThrough, Writable, type Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { DynoExit } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import type { GitService } from '../../domain/git-request.js';
import type { DynoSession } from '../../ports/transport.js';
import { GitConversation } from './git-conversation.js';

/** Git's own status when it dies of an error that it has put into words. */
const GIT_DIED: DynoExit = { kind: 'code', code: 128 };
const DONE: DynoExit = { kind: 'code', code: 0 };

/** A dyno's connection whose first bytes were git's. Its end is judged by what git said, and never guessed. */
export class RendezvousSession implements DynoSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable = new PassThrough().end();
  readonly exit: Promise<DynoExit>;
  readonly #socket: TLSSocket;
  #closing: Promise<void> | undefined;

  /** @param first what was read of the connection already. */
  constructor(socket: TLSSocket, first: Buffer, service: GitService) {
    this.#socket = socket;
    const conversation = new GitConversation(service);
    const output = new PassThrough();
    this.stdin = inputOf(socket, (chunk) => conversation.heard(chunk));
    this.stdout = output;
    this.exit = exitOf(socket, conversation);
    // Who was cut off before they could listen to it has other troubles.
    this.exit.catch(() => undefined);
    // A dyno that is gone may make either fail; how it ended is told by the exit.
    for (const stream of [this.stdin, output]) stream.on('error', () => undefined);
    onClosed(socket, () => {
      output.end();
      this.stdin.destroy();
    });
    conversation.said(first);
    output.write(first);
    socket.on('data', (chunk: Buffer) => conversation.said(chunk));
    socket.pipe(output);
  }

  /** The original dyno host has no way to pass one on. */
  signal(): void {
    return;
  }

  /** Nor one to stop it: TCP's window alone holds the dyno back. */
  pause(): void {
    return;
  }

  resume(): void {
    return;
  }

  /** Leaves the dyno. What runs in it is not ended by that: the original dyno host has no way to do it. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      onClosed(this.#socket, resolve);
      this.#socket.destroy();
    });
    return this.#closing;
  }
}

function onClosed(socket: TLSSocket, then: () => void): void {
  if (socket.closed) process.nextTick(then);
  else socket.once('close', then);
}

function exitOf(socket: TLSSocket, conversation: GitConversation): Promise<DynoExit> {
  return new Promise((resolve, reject) => {
    const judge = () => settle(conversation, resolve, reject);
    if (socket.readableEnded) process.nextTick(judge);
    else socket.once('end', judge);
    // After an end in order this comes too late to count.
    onClosed(socket, () => reject(lost('the connection to the dyno was lost')));
  });
}

function settle(
  conversation: GitConversation,
  resolve: (exit: DynoExit) => void,
  reject: (fault: Fault) => void,
): void {
  const { ending } = conversation;
  if (ending === 'cut') reject(lost('the connection to the dyno ended before git had said its last words'));
  else resolve(ending === 'complete' ? DONE : GIT_DIED);
}

function lost(message: string): Fault {
  return new Fault('GM_DYNO_LOST', 'run', message);
}

/** Ending it ends nothing: once our half is closed, the original dyno host forwards no more of git's output. */
function inputOf(socket: TLSSocket, listen: (chunk: Buffer) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      listen(chunk);
      socket.write(chunk, done);
    },
    final(done) {
      done();
    },
  });
}
