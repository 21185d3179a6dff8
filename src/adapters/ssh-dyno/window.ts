/** What a dyno may send before somebody has read some of it (RFC 4254 5.2). As much as OpenSSH's client gives. */
export const WINDOW_BYTES = 2 * 1024 ** 2;

/** Granted anew in portions, so that not every read is a message. */
const PORTION_BYTES = WINDOW_BYTES / 4;

/** The window of what comes in: it opens only as far as what came was taken from us. */
export class InputWindow {
  readonly #grant: (bytes: number) => void;
  #openBytes = WINDOW_BYTES;
  /** Taken, and not granted anew yet. */
  #owedBytes = 0;

  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  /** @returns whether so much might be sent. */
  use(bytes: number): boolean {
    this.#openBytes -= bytes;
    return this.#openBytes >= 0;
  }

  taken(bytes: number): void {
    this.#owedBytes += bytes;
    if (this.#owedBytes < PORTION_BYTES) return;
    this.#openBytes += this.#owedBytes;
    this.#grant(this.#owedBytes);
    this.#owedBytes = 0;
  }

  /** All of it is granted once more, whatever was taken. */
  openWide(): void {
    this.#owedBytes = 0;
    const bytes = WINDOW_BYTES - this.#openBytes;
    this.#openBytes = WINDOW_BYTES;
    if (bytes > 0) this.#grant(bytes);
  }
}
