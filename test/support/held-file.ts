/** A file whose reader waits until a test lets it read on: a named pipe, with a real file in its place afterwards. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { until } from './door.js';

export class HeldFile {
  readonly path: string;
  #pipe: number | undefined;

  constructor(path: string) {
    this.path = path;
    execFileSync('mkfifo', [`${path}.pipe`]);
    renameSync(`${path}.pipe`, path);
  }

  /** Resolves once somebody reads it, who is held from then on. */
  async read(): Promise<void> {
    await until(
      () => this.#isRead(),
      20_000,
      () => `nobody reads ${this.path}`,
    );
  }

  /** Gives the one who reads it this text; who reads it again finds the other. */
  release(text: string, afterwards = text): void {
    if (this.#pipe === undefined) throw new Error('nobody reads it');
    writeFileSync(`${this.path}.new`, afterwards);
    renameSync(`${this.path}.new`, this.path);
    writeSync(this.#pipe, text);
    closeSync(this.#pipe);
    this.#pipe = undefined;
  }

  /** Opening it without a reader is refused (ENXIO; fifo(7)). */
  #isRead(): boolean {
    try {
      this.#pipe = openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK);
      return true;
    } catch {
      return false;
    }
  }
}
