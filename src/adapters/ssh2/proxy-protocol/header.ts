/** The header of the PROXY protocol (haproxy's doc/proxy-protocol.txt), in its versions 1 and 2. */
import { isIP, SocketAddress } from 'node:net';
import { plainAddress } from '../../../domain/address.js';
import type { Endpoint } from '../../../domain/proxy-rules.js';

/** What the first bytes of a connection hold. */
export type Reading =
  /** They may become a header. */
  | { readonly kind: 'more' }
  /** They are no header's beginning. */
  | { readonly kind: 'none' }
  /** They begin as a header, and are none. */
  | { readonly kind: 'bad' }
  | {
      readonly kind: 'header';
      /** For whom the proxy connects; absent where it connects for itself, or does not know. */
      readonly source?: Endpoint;
      /** What follows belongs to the protocol within. */
      readonly bytesUsed: number;
    };

const V1_BEGINNING = Buffer.from('PROXY ');
/** With its line end. */
const V1_MOST_BYTES = 107;
const LINE_FEED = 10;

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = 16;
/** More than the longest addresses (of UNIX sockets) and any additions (TLVs) in use; the format would allow 64 KiB. */
const V2_MOST_BYTES = 4096;
const V2_VERSION = 2;
const V2_COMMAND = { LOCAL: 0, PROXY: 1 };
const V2_FAMILY = { INET: 1, INET6: 2, UNIX: 3 };
const V2_TRANSPORT = { STREAM: 1, DGRAM: 2 };

const MORE: Reading = { kind: 'more' };
const BAD: Reading = { kind: 'bad' };

/** @param bytes all that has come over the connection, from its first byte on. */
export function readHeader(bytes: Buffer): Reading {
  switch (headerBegins(bytes)) {
    case 'no':
      return { kind: 'none' };
    case 'maybe':
      return MORE;
    case 'v1':
      return readV1(bytes);
    case 'v2':
      return readV2(bytes);
  }
}

/** Whether these first bytes are a header's beginning, or may become one's. */
export function headerBegins(bytes: Buffer): 'no' | 'maybe' | 'v1' | 'v2' {
  if (startsWith(bytes, V1_BEGINNING)) return bytes.length < V1_BEGINNING.length ? 'maybe' : 'v1';
  if (startsWith(bytes, V2_SIGNATURE)) return bytes.length < V2_SIGNATURE.length ? 'maybe' : 'v2';
  return 'no';
}

/** As far as both go. */
function startsWith(bytes: Buffer, beginning: Buffer): boolean {
  const length = Math.min(bytes.length, beginning.length);
  return bytes.subarray(0, length).equals(beginning.subarray(0, length));
}

function readV1(bytes: Buffer): Reading {
  const end = bytes.subarray(0, V1_MOST_BYTES).indexOf(LINE_FEED);
  if (end === -1) return bytes.length < V1_MOST_BYTES ? MORE : BAD;
  const line = bytes.toString('latin1', 0, end + 1);
  // Neither a carriage return nor a line feed alone ends the line.
  if (line.indexOf('\r') !== end - 1) return BAD;
  const bytesUsed = end + 1;
  // What may follow this word is to be ignored.
  if (/^PROXY UNKNOWN[ \r]/.test(line)) return { kind: 'header', bytesUsed };
  const source = sourceOfV1(line);
  return source === undefined ? BAD : { kind: 'header', source, bytesUsed };
}

const V1_LINE = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/;

function sourceOfV1(line: string): Endpoint | undefined {
  const [, version, source = '', destination = '', ...ports] = V1_LINE.exec(line) ?? [];
  const areAddresses = [source, destination].every((text) => !text.includes('%') && isIP(text) === Number(version));
  const [port = NaN, destinationPort = NaN] = ports.map(Number);
  if (!areAddresses || port > 65_535 || destinationPort > 65_535) return undefined;
  return { address: usual(source), port };
}

function readV2(bytes: Buffer): Reading {
  const [versionAndCommand, familyAndTransport] = bytes.subarray(V2_SIGNATURE.length);
  if (versionAndCommand !== undefined && !isKnownCommand(versionAndCommand)) return BAD;
  if (bytes.length < V2_FIXED_BYTES || familyAndTransport === undefined) return MORE;
  const bytesUsed = V2_FIXED_BYTES + bytes.readUInt16BE(V2_FIXED_BYTES - 2);
  if (bytesUsed > V2_MOST_BYTES) return BAD;
  const isLocal = (Number(versionAndCommand) & 15) === V2_COMMAND.LOCAL;
  const [family, transport] = [familyAndTransport >> 4, familyAndTransport & 15];
  // For itself a proxy may say whatever it likes there.
  if (!isLocal && (family > V2_FAMILY.UNIX || transport > V2_TRANSPORT.DGRAM)) return BAD;
  if (bytes.length < bytesUsed) return MORE;
  const addressBytes = { [V2_FAMILY.INET]: 4, [V2_FAMILY.INET6]: 16 }[family];
  // Other ends than those of TCP are nobody's address, and the proxy's own counts, as the specification allows.
  if (isLocal || addressBytes === undefined || transport !== V2_TRANSPORT.STREAM) return { kind: 'header', bytesUsed };
  const source = sourceOfV2(bytes.subarray(V2_FIXED_BYTES, bytesUsed), addressBytes);
  return source === undefined ? BAD : { kind: 'header', source, bytesUsed };
}

function isKnownCommand(byte: number): boolean {
  return byte >> 4 === V2_VERSION && (byte & 15) <= V2_COMMAND.PROXY;
}

/** @param block both addresses, both ports, and additions, which are passed over. */
function sourceOfV2(block: Buffer, addressBytes: number): Endpoint | undefined {
  if (block.length < 2 * addressBytes + 4) return undefined;
  const address = block.subarray(0, addressBytes);
  const port = block.readUInt16BE(2 * addressBytes);
  return { address: addressBytes === 4 ? address.join('.') : usual(groupsOf(address)), port };
}

function groupsOf(address: Buffer): string {
  return Array.from({ length: address.length / 2 }, (_, at) => address.readUInt16BE(2 * at).toString(16)).join(':');
}

/** One spelling for each address (RFC 5952), as for those of sockets. */
function usual(address: string): string {
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  return plainAddress(new SocketAddress({ address, family }).address);
}
