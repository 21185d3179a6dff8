/** An IPv4 client of a socket that listens on IPv6 too appears as `::ffff:192.0.2.1` (RFC 4291 2.5.5.2): one address. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

/** Whether only this machine can reach what listens here. */
export function isLoopback(host: string): boolean {
  const address = plainAddress(host.toLowerCase());
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/**
 * What counts as one source of connections: an IPv4 address, or the /64 that an IPv6 address lies in, which is what
 * one customer or machine is given (RFC 6177). One spelling for each (RFC 5952), without a zone.
 */
export function sourceOf(address: string): string {
  const groups = ipv6Groups(address.replace(/%.*$/s, ''));
  if (groups === undefined) return address;
  if (isIpv4Mapped(groups)) return bytesOf(groups.slice(6)).join('.');
  const network = groups.slice(0, 4);
  while (network.at(-1) === 0) network.pop();
  return `${network.map((group) => group.toString(16)).join(':')}::/64`;
}

/** The eight groups of an IPv6 address; undefined for everything else. */
export function ipv6Groups(address: string): number[] | undefined {
  const hexadecimal = address.replace(/(?<=:)\d+\.\d+\.\d+\.\d+$/, (dotted) =>
    hexadecimalOf(dotted.split('.').map(Number)),
  );
  const [before = '', after, ...more] = hexadecimal.split('::');
  const [head, tail] = [before, after ?? ''].map((part) => (part === '' ? [] : part.split(':')));
  if (head === undefined || tail === undefined || more.length > 0) return undefined;
  const missing = 8 - head.length - tail.length;
  if (after === undefined ? missing !== 0 : missing < 1) return undefined;
  const texts = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  return texts.every((text) => /^[\da-f]{1,4}$/i.test(text)) ? texts.map((text) => parseInt(text, 16)) : undefined;
}

/** The last two groups, where an address gives them as an IPv4 address (RFC 4291 2.2). */
function hexadecimalOf([a = 0, b = 0, c = 0, d = 0]: readonly number[]): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function bytesOf(groups: readonly number[]): readonly number[] {
  return groups.flatMap((group) => [group >> 8, group & 255]);
}

function isIpv4Mapped(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}
