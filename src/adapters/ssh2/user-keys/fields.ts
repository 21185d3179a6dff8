import { isUtf8 } from 'node:buffer';

/** Why bytes are not what they should be, as a sentence for whoever handed them in. */
export class Unreadable extends Error {}

/**
 * Reads the fields of SSH's wire format (RFC 4251 5) one after the other, and takes nothing that goes beyond the end or
 * could be written in a shorter way. Every method throws `Unreadable`.
 */
export class Fields {
  readonly #bytes: Buffer;
  readonly #problem: string;
  #at = 0;

  /** @param problem what `Unreadable` says. */
  constructor(bytes: Buffer, problem: string) {
    this.#bytes = bytes;
    this.#problem = problem;
  }

  /** How many bytes were read. */
  get position(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.#take(1).readUInt8();
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  /** RFC 4251's boolean: whatever is not 0 is true. */
  boolean(): boolean {
    return this.byte() !== 0;
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  /** A string that is text: UTF-8 without a NUL, so that no two strings read the same. */
  text(): string {
    const bytes = this.string();
    if (!isUtf8(bytes) || bytes.includes(0)) this.fail();
    return bytes.toString('utf8');
  }

  /** A positive mpint in its one form, without the zero byte that keeps it positive. */
  positive(): Buffer {
    const bytes = this.string();
    const [first = 0x80, second = 0] = bytes;
    if (first >= 0x80 || (first === 0 && second < 0x80)) this.fail();
    return first === 0 ? bytes.subarray(1) : bytes;
  }

  /** A string whose content is fields in turn. */
  within(): Fields {
    return new Fields(this.string(), this.#problem);
  }

  /** The bytes that were read since `position` was this. */
  since(position: number): Buffer {
    return this.#bytes.subarray(position, this.#at);
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.isAtEnd) this.fail();
  }

  fail(problem = this.#problem): never {
    throw new Unreadable(problem);
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) this.fail();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

/** One string as a field. */
export function stringField(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
