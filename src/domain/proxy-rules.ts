import { isWithin, type Network } from './networks.js';

/** Whose word is taken for whom a connection is: that of proxies which begin each with a header (PROXY protocol). */
export interface ProxyRules {
  /** Where these proxies are. None is listed where the protocol is off. */
  readonly from: readonly Network[];
  /** From the connection to the end of its header. */
  readonly headerMs: number;
}

/** An end of a TCP connection. */
export interface Endpoint {
  /** Plain (`plainAddress`). */
  readonly address: string;
  readonly port: number;
}

/** Who has connected. */
export interface Origin extends Endpoint {
  /** The address of the proxy that says so, if it was one. */
  readonly via?: string;
}

export function isListedProxy(address: string, { from }: ProxyRules): boolean {
  return isWithin(address, from);
}

/** Whether a header from this address is told from what is no SSH at all. */
export function mayPoseAsProxy(address: string, rules: ProxyRules): boolean {
  return rules.from.length > 0 && !isListedProxy(address, rules);
}
