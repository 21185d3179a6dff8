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
 * one customer or machine is given (RFC 6177). In canonical form, without a zone.
 */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  if (!plain.includes(':')) return plain;
  const [before = '', after] = plain.replace(/%.*$/, '').split('::');
  const head = before.split(':').filter((group) => group !== '');
  const tail = after === undefined ? [] : after.split(':').filter((group) => group !== '');
  const missing = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  const prefix = groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/64`;
}
