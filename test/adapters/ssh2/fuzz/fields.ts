/** Parts of SSH messages (RFC 4251 5): right, at the edge of what is right, or lies about their own length. */
import fc from 'fast-check';
import { boolean, message, string, uint32 } from '../../../support/ssh-bytes.js';

/** Where programs go wrong: ends of ranges, signs, limits of this door and of SSH. */
const EDGES = [0, 1, 2, 255, 256, 32_768, 35_000, 65_536, 2 ** 21, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

export const edge = fc.constantFrom(...EDGES);
export const number = fc.oneof(edge, fc.integer({ min: 0, max: 2 ** 32 - 1 })).map(uint32);
/** In use or not; ours, theirs or nobody's. */
export const channel = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1).map(uint32) },
  { weight: 2, arbitrary: fc.constantFrom(2, 9, 10, 11).map(uint32) },
  { weight: 1, arbitrary: number },
);
export const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
export const flag = fc.oneof(fc.boolean().map(boolean), fc.constant(Buffer.from([2])), fc.constant(Buffer.from([255])));

/** A string that is what its length says. */
export const text = (...known: readonly string[]) =>
  fc.oneof(
    { weight: 24, arbitrary: fc.constantFrom(...known).map(string) },
    { weight: 1, arbitrary: fc.constant(string('')) },
    { weight: 2, arbitrary: bytes(40).map(string) },
    { weight: 1, arbitrary: fc.constantFrom(300, 4_000, 30_000).map((length) => string('x'.repeat(length))) },
    { weight: 1, arbitrary: fc.tuple(number, bytes(40)).map((parts) => Buffer.concat(parts)) },
  );
export const data = text('\0', 'ls-remote', '0000', '');
/** A list of names, or of commas. */
export const names = (...known: readonly string[]) =>
  fc.oneof(
    { weight: 24, arbitrary: fc.shuffledSubarray([...known]).map((list) => string(list.join(','))) },
    { weight: 1, arbitrary: fc.constantFrom(',', ',,a', 'a,', 'a,a', '\0,é').map(string) },
    { weight: 1, arbitrary: data },
  );

export type Fields = fc.Arbitrary<Buffer>;

export const joined = (...fields: readonly Fields[]): Fields =>
  fc.tuple(...fields).map((parts) => Buffer.concat(parts));
export const of = (type: number, ...fields: readonly Fields[]): Fields =>
  joined(...fields).map((content) => message(type, content));
/** One of these, each with the fields that belong to it. */
export const oneOf = (forms: Readonly<Record<string, readonly Fields[]>>): Fields =>
  fc.oneof(...Object.entries(forms).map(([name, fields]) => joined(fc.constant(string(name)), ...fields)));

/** Cut short, with more behind it, or with one byte changed. */
export function nearly(whole: Fields): Fields {
  const place = fc.nat(4_096);
  return fc.oneof(
    { weight: 20, arbitrary: whole },
    {
      weight: 1,
      arbitrary: fc.tuple(whole, place).map(([payload, at]) => payload.subarray(0, at % (payload.length + 1))),
    },
    { weight: 1, arbitrary: joined(whole, bytes(20)) },
    {
      weight: 1,
      arbitrary: fc.tuple(whole, place, fc.nat(255)).map(([payload, at, byte]) => {
        const changed = Buffer.from(payload);
        changed[at % Math.max(1, payload.length)] = byte;
        return changed;
      }),
    },
  );
}
