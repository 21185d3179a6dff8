/** Reads the fields of a message one after the other (RFC 4251 5). */
export class PayloadReader {
  readonly #bytes: Buffer;
  /** Behind the message's number. */
  #at = 1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws RangeError beyond the end, as every method here does. */
  uint32(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  boolean(): boolean {
    const value = this.#bytes.readUInt8(this.#at);
    this.#at += 1;
    return value !== 0;
  }

  /** A part of the message's own bytes, not a copy. */
  string(): Buffer {
    const length = this.uint32();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('a string that is longer than its message');
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  text(): string {
    return this.string().toString('utf8');
  }
}
