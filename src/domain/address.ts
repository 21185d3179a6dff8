/** An IPv4 client of a socket that listens on IPv6 too appears as `::ffff:192.0.2.1` (RFC 4291 2.5.5.2): one address. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

/** Whether only this machine can reach what listens here. */
export function isLoopback(host: string): boolean {
  const address = plainAddress(host.toLowerCase());
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}
