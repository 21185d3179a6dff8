/** What a git with a huge repository does: it writes chunk after chunk, each when the one before was taken. */
import type { ClientChannel } from '../../../../src/ports/client-channel.js';
import { MEBIBYTE } from './attack-ground.js';

export class Transfer {
  /** Bytes that were taken. */
  sent = 0;
  /** Whether a chunk waits to be taken. */
  isBlocked = false;
  /** Whether it was told that nobody will take any more. */
  isFreed = false;

  private constructor(readonly channel: ClientChannel) {}

  /** More than any client here is meant to get, and not so much that a server that buffers it all would end us. */
  static begin(channel: ClientChannel, bytes = 256 * MEBIBYTE): Transfer {
    const transfer = new Transfer(channel);
    void transfer.#run(bytes);
    return transfer;
  }

  async #run(bytes: number): Promise<void> {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    while (this.sent < bytes && !this.isFreed) {
      this.isBlocked = true;
      const failed = await new Promise((resolve) => this.channel.stdout.write(chunk, resolve));
      this.isBlocked = false;
      this.isFreed = Boolean(failed);
      this.sent += chunk.length;
      // As a pipe does, and unlike a loop: others get their turn between two chunks.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
