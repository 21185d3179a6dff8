/** With its line end (RFC 4253 4.2). */
const LONGEST_LINE_BYTES = 255;

const LINE_FEED = 10;

/** "SSH-2.0-" and a name, as ssh2 takes it; 1.99 is what servers of both versions say, and some old clients. */
const LINE = /^SSH-(?:2\.0|1\.99)-[\x21-\x7e]+(?: [^\r\n]*)?\r?\n$/;

/**
 * The client's identification line, in however many pieces it comes, handed on whole.
 *
 * ssh2 keeps only the first piece of a line that comes in three or more, and takes one of any length.
 */
export class Identification {
  readonly #refuse: () => void;
  #line = Buffer.alloc(0);
  #isKnown = false;

  /** @param refuse called once for what is no such line. */
  constructor(refuse: () => void) {
    this.#refuse = refuse;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** @returns what may go on: nothing until the line is whole, then that and all that follows. */
  take(bytes: Buffer): Buffer | undefined {
    if (this.#isKnown) return bytes;
    const end = bytes.indexOf(LINE_FEED);
    const lineBytes = this.#line.length + (end === -1 ? bytes.length : end + 1);
    if (lineBytes > LONGEST_LINE_BYTES || (end === -1 && lineBytes === LONGEST_LINE_BYTES)) {
      this.#refuse();
      return undefined;
    }
    const all = Buffer.concat([this.#line, bytes]);
    if (end === -1) {
      this.#line = all;
      return undefined;
    }
    if (!LINE.test(all.toString('latin1', 0, lineBytes))) {
      this.#refuse();
      return undefined;
    }
    this.#isKnown = true;
    this.#line = Buffer.alloc(0);
    return all;
  }
}
