import { ipv6Groups } from './address.js';

const FAMILY_BITS = { ipv4: 32, ipv6: 128 } as const;

/** An IPv4 address that is spelled as an IPv6 one (RFC 4291 2.5.5.2) has these bits in front. */
const MAPPED_BITS = 96;
const MAPPED = 0xffffn;

/** Addresses that begin alike: `192.0.2.0/24`, `2001:db8::/32`, or one address alone. */
export interface Network {
  readonly family: 'ipv4' | 'ipv6';
  /** Of what is written before the slash, bits behind the prefix included. */
  readonly value: bigint;
  /** How many bits are alike, from the first on. */
  readonly bits: number;
}

/** @returns undefined for what is neither an address nor a network in CIDR form (RFC 4632 3.1, RFC 4291 2.3). */
export function parseNetwork(text: string): Network | undefined {
  const [written = '', length, ...more] = text.split('/');
  const address = valueOf(written);
  if (address === undefined || more.length > 0) return undefined;
  if (length === undefined) return plain({ ...address, bits: FAMILY_BITS[address.family] });
  const bits = Number(length);
  return /^\d{1,3}$/.test(length) && bits <= FAMILY_BITS[address.family] ? plain({ ...address, bits }) : undefined;
}

/** Whether an address lies in one of these networks, in whatever spelling and without its zone; no other text does. */
export function isWithin(address: string, networks: readonly Network[]): boolean {
  const own = parseAddress(address.replace(/%.*$/s, ''));
  return own !== undefined && networks.some((network) => holds(network, own));
}

/** Whether bits behind the prefix are set, as in `192.0.2.1/24`: no network's own spelling. */
export function hasHostBits({ family, value, bits }: Network): boolean {
  return BigInt.asUintN(FAMILY_BITS[family] - bits, value) !== 0n;
}

function parseAddress(text: string): Network | undefined {
  return text.includes('/') ? undefined : parseNetwork(text);
}

function holds(network: Network, { family, value }: Network): boolean {
  const behind = BigInt(FAMILY_BITS[family] - network.bits);
  return network.family === family && network.value >> behind === value >> behind;
}

/** An IPv4 address is one however it is spelled. */
function plain({ family, value, bits }: Network): Network {
  const isMapped = family === 'ipv6' && bits >= MAPPED_BITS && value >> 32n === MAPPED;
  return isMapped
    ? { family: 'ipv4', value: BigInt.asUintN(32, value), bits: bits - MAPPED_BITS }
    : { family, value, bits };
}

function valueOf(text: string): Pick<Network, 'family' | 'value'> | undefined {
  const bytes = ipv4Bytes(text);
  if (bytes !== undefined) return { family: 'ipv4', value: joined(bytes, 8n) };
  const dotted = /:([^:]*\.[^:]*)$/.exec(text)?.[1];
  if (dotted !== undefined && ipv4Bytes(dotted) === undefined) return undefined;
  const groups = ipv6Groups(text);
  return groups && { family: 'ipv6', value: joined(groups, 16n) };
}

/** Four decimal numbers, none with a zero in front that others would read as octal (RFC 6943 3.1.1). */
function ipv4Bytes(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  const isAddress =
    parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isAddress ? parts.map(Number) : undefined;
}

function joined(parts: readonly number[], width: bigint): bigint {
  return parts.reduce((value, part) => (value << width) | BigInt(part), 0n);
}
