/** A real SSH client with a key of its own, for a gateway inside the test's process. */
import ssh2 from 'ssh2';
import { readKeyLine } from '../../src/adapters/ssh2/public-keys.js';
import type { PublicKey } from '../../src/domain/public-key.js';
import { within } from '../../src/contracts/contract.js';

export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number | string;
}

export class SshClient {
  readonly key: PublicKey;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
  readonly #client = new ssh2.Client();
  readonly #privateKey: string;

  constructor() {
    const { key, privateKey } = freshKey();
    this.key = key;
    this.#privateKey = privateKey;
    this.closed = new Promise((resolve) => this.#client.once('close', () => resolve()));
  }

  /** Logs in; rejects with the client's error. */
  async connect(port: number, host = '127.0.0.1'): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#client.once('ready', resolve).on('error', reject);
      this.#client.connect({ host, port, username: 'git', privateKey: this.#privateKey });
    });
    await within(ready, 'the log-in');
  }

  /** A shell without a terminal, as `ssh -T` asks for. */
  greeting(): Promise<Answer> {
    return this.#answer((done) => this.#client.shell(false, done));
  }

  /** @param started told as soon as the command has said something on standard output. */
  run(command: string, started: () => void = () => undefined): Promise<Answer> {
    return this.#answer((done) => this.#client.exec(command, done), started);
  }

  /** As `run`, for who speaks with it meanwhile. */
  start(command: string): Promise<{ heard: Heard; answer: Promise<Answer>; signal(name: string): void }> {
    return new Promise((resolve, reject) => {
      this.#client.exec(command, (error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        const { heard, closed } = listenTo(channel);
        resolve({ heard, answer: within(closed, 'the answer'), signal: (name) => channel.signal(name) });
      });
    });
  }

  end(): Promise<void> {
    this.#client.end();
    return within(this.closed, 'the connection to close');
  }

  #answer(
    begin: (done: (error: Error | undefined, channel: ssh2.ClientChannel) => void) => unknown,
    started: () => void = () => undefined,
  ): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      begin((error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        channel.on('data', started);
        resolve(listenTo(channel).closed);
      });
    });
    return within(answer, 'the answer');
  }
}

type Heard = { -readonly [Part in keyof Answer]: Answer[Part] };

function listenTo(channel: ssh2.ClientChannel): { heard: Heard; closed: Promise<Answer> } {
  const heard: Heard = { stdout: '', stderr: '', exit: 'none' };
  channel.on('data', (chunk: Buffer) => (heard.stdout += chunk.toString()));
  channel.stderr.on('data', (chunk: Buffer) => (heard.stderr += chunk.toString()));
  channel.on('exit', (code: number | null, signal?: string) => (heard.exit = code ?? signal ?? 'none'));
  return { heard, closed: new Promise((resolve) => channel.on('close', () => resolve(heard))) };
}

/** ssh2 1.17 drops leading zero bytes of an Ed25519 public key (keygen.js): one in 256 that it makes can't be read. */
function freshKey(): { readonly key: PublicKey; readonly privateKey: string } {
  for (;;) {
    const made = ssh2.utils.generateKeyPairSync('ed25519');
    const reading = readKeyLine(made.public);
    if (!('problem' in reading)) return { key: reading.key, privateKey: made.private };
  }
}
