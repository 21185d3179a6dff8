/** Headers of the PROXY protocol, as a proxy makes them. */
import { isIPv6 } from 'node:net';

export interface End {
  readonly address: string;
  readonly port: number;
}

export const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** Version 1, of a connection to somewhere. */
export function v1({ address, port }: End): Buffer {
  const isSix = isIPv6(address);
  return Buffer.from(`PROXY ${isSix ? 'TCP6' : 'TCP4'} ${address} ${isSix ? '::1' : '192.0.2.99'} ${port} 22\r\n`);
}

/** Version 2 of any content. */
export function v2Of(versionAndCommand: number, familyAndTransport: number, block: Buffer | string = ''): Buffer {
  const content = Buffer.from(block as Buffer);
  const fixed = Buffer.from([versionAndCommand, familyAndTransport, content.length >> 8, content.length & 255]);
  return Buffer.concat([SIGNATURE, fixed, content]);
}

/** Version 2, of a connection to somewhere, perhaps with additions (TLVs). */
export function v2({ address, port }: End, additions = Buffer.alloc(0)): Buffer {
  const bytes = bytesOf(address);
  const ports = Buffer.from([port >> 8, port & 255, 0, 22]);
  const block = Buffer.concat([bytes, Buffer.alloc(bytes.length, 1), ports, additions]);
  return v2Of(0x21, bytes.length === 4 ? 0x11 : 0x21, block);
}

/** What a proxy says of a connection of its own: a health check, say. */
export const LOCAL = v2Of(0x20, 0x00);

function bytesOf(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  // As a URL has it no IPv6 address ends as an IPv4 one does.
  const [before = '', after = ''] = new URL(`ssh://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [head, tail] = [groups(before), groups(after)];
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}
