/** Keys that nobody may take. */

/** An encapsulation key with one coefficient changed: twelve bits, the lowest first (FIPS 203, algorithm 5). */
export function aboveModulus(encapsulationKey: Buffer, coefficient: number, value: number): Buffer {
  const changed = Buffer.from(encapsulationKey);
  const at = Math.floor(coefficient / 2) * 3;
  const pair = changed.readUIntLE(at, 3);
  const written = coefficient % 2 === 0 ? (pair & 0xfff000) | value : (pair & 0x000fff) | (value << 12);
  changed.writeUIntLE(written, at, 3);
  return changed;
}

/** Points of X25519 that make every secret zero (RFC 7748 7; the list of cr.yp.to/ecdh.html). */
export const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Buffer.from(hex, 'hex'));
