/** The addresses that are listened on. */
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { isLoopback, plainAddress } from '../domain/address.js';
import { address } from './setting-checks.js';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const MESSAGE = 'must be HOST:PORT, such as 127.0.0.1:2222 or [::]:22, or several with commas between';
const one = address(MESSAGE);

/** HOST:PORT, or several with commas between, each once. */
export const listenAddresses = z.string().transform((text, context): readonly ListenAddress[] => {
  const parsed = text.split(',').map((each) => one.safeParse(each.trim()));
  const all = parsed.flatMap(({ data }) => data ?? []);
  const twice = all.find((each, at) => all.slice(0, at).some((before) => isSame(each, before)));
  if (all.length === parsed.length && twice === undefined) return all;
  context.addIssue(twice === undefined ? MESSAGE : `must have each address once; ${addressText(twice)} is there twice`);
  return z.NEVER;
});

export function addressText({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Whether it leaves IPv4 to others. `[::]` stands for every IPv4 address, too, unless one is listened on by itself at
 * that port: both could not be had otherwise.
 */
export function isIpv6Only({ host, port }: ListenAddress, all: readonly ListenAddress[]): boolean {
  const isIpv4 = (address: ListenAddress) => !isIPv6(plainAddress(address.host));
  const isAlone = !all.some((other) => port !== 0 && other.port === port && isIpv4(other));
  return isIPv6(plainAddress(host)) && !isAlone;
}

/** Whether somebody beyond this machine may come in: over an address of its own, or by way of a proxy. */
export function isReachableFromElsewhere(listen: readonly ListenAddress[], proxies: readonly unknown[]): boolean {
  return proxies.length > 0 || !listen.every(({ host }) => isLoopback(host));
}

/** Port 0 is another one each time. */
function isSame(one: ListenAddress, other: ListenAddress): boolean {
  return one.port !== 0 && one.port === other.port && spelling(one.host) === spelling(other.host);
}

function spelling(host: string): string {
  return isIPv6(host) ? new URL(`ssh://[${host}]`).hostname : host.toLowerCase();
}
