import fc from 'fast-check';

/** Sizes of pieces that bytes are sent in, over and over; none for all at once. */
export type Segments = readonly number[];

export const segments: fc.Arbitrary<Segments> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(fc.constantFrom(1, 3, 4, 5, 7, 16, 100, 1_000, 30_000), { minLength: 1, maxLength: 4 }),
  },
);

/** No more than this, or a long message in single bytes takes for ever. */
const MOST_PIECES = 12;

export function pieces(bytes: Buffer, sizes: Segments): readonly Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  while (at < bytes.length && found.length < MOST_PIECES && sizes.length > 0) {
    const size = sizes[found.length % sizes.length] ?? bytes.length;
    found.push(bytes.subarray(at, at + size));
    at += size;
  }
  return at < bytes.length ? [...found, bytes.subarray(at)] : found;
}
