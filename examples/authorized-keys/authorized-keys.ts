import { open } from 'node:fs/promises';
import {
  Fault,
  type Authenticator,
  type CertifiedProof,
  type Connection,
  type PublicKey,
  type Refusal,
  type User,
} from 'gitmouth';
import { KeyFileProblem, readKeyLines } from './key-lines.js';

/** A file that was changed so shortly before it was read may change again without its times telling. */
const SETTLED_MS = 2_000;

/** Group and others may not write: whoever can, decides who is let in. */
const WRITABLE_BY_OTHERS = 0o022n;

interface Reading {
  readonly users: ReadonlyMap<string, string>;
  /** Of the file as it was read; undefined while it may still change without a trace. */
  readonly state: string | undefined;
}

/** Users and their keys in one file, looked at again for every question and read again when it has changed. */
export class AuthorizedKeys implements Authenticator {
  readonly #path: string;
  #last: Reading | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async identify(key: PublicKey, _connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    signal.throwIfAborted();
    const users = await this.#read(signal);
    const name = users.get(Buffer.from(key.blob).toString('base64'));
    return name === undefined ? { kind: 'unknown-key' } : { name };
  }

  /** The user is there as long as one key of theirs is in the file. */
  async identifyCertified(
    { user }: CertifiedProof,
    _connection: Connection,
    signal: AbortSignal,
  ): Promise<User | Refusal> {
    signal.throwIfAborted();
    const users = await this.#read(signal);
    const isThere = [...users.values()].includes(user);
    return isThere ? { name: user } : { kind: 'certificate', problem: { kind: 'unknown-user', user } };
  }

  /** @throws Fault, when the file is of no use; the signal's reason, once it has aborted. */
  async #read(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    try {
      return await this.users();
    } catch (cause) {
      const code = cause instanceof KeyFileProblem ? 'GM_BAD_ANSWER' : 'GM_UNAVAILABLE';
      throw new Fault(code, 'identify', `The keys in ${this.#path} can't be used: ${String(cause)}`, { cause });
    } finally {
      signal.throwIfAborted();
    }
  }

  /** Users by the base64 of their keys. @throws when the file can't be read, or something in it is wrong. */
  async users(): Promise<ReadonlyMap<string, string>> {
    const file = await open(this.#path);
    try {
      const { mode, mtimeMs, mtimeNs, ctimeNs, size, ino } = await file.stat({ bigint: true });
      if ((mode & WRITABLE_BY_OTHERS) !== 0n) throw new KeyFileProblem(`others may write it: run chmod go-w on it`);
      const state = [ino, size, mtimeNs, ctimeNs].join(' ');
      if (this.#last?.state === state) return this.#last.users;
      const isSettled = Date.now() - Number(mtimeMs) > SETTLED_MS;
      const users = readKeyLines(await file.readFile('utf8'));
      this.#last = { users, state: isSettled ? state : undefined };
      return users;
    } finally {
      await file.close();
    }
  }
}
