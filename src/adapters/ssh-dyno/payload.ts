/** A message ends before its fields do. */
export class CutShort extends Error {}

/** Reads the fields of a message one after the other (RFC 4251 5). Every method throws `CutShort` beyond the end. */
export class PayloadReader {
  readonly #bytes: Buffer;
  /** Behind the message's number. */
  #at = 1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  boolean(): boolean {
    return this.#take(1).readUInt8() !== 0;
  }

  /** A part of the message's own bytes, not a copy. */
  string(): Buffer {
    return this.#take(this.uint32());
  }

  text(): string {
    return this.string().toString('utf8');
  }

  #take(bytes: number): Buffer {
    const end = this.#at + bytes;
    if (end > this.#bytes.length) throw new CutShort('the message is cut short');
    const field = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return field;
  }
}
