/** The settings of what stands in front of this server: proxies that tell whom they connect for (PROXY protocol). */
import { z } from 'zod';
import { hasHostBits, parseNetwork, type Network } from '../domain/networks.js';
import type { ProxyRules } from '../domain/proxy-rules.js';
import { printable } from '../domain/words/printable.js';
import { seconds } from './setting-checks.js';

const proxies = z.string().transform((text, context): readonly Network[] => {
  const written = text.split(',').map((one) => one.trim());
  const networks = written.flatMap((one) => trusted(one) ?? []);
  if (networks.length === written.length) return networks;
  const wrong = written.find((one) => trusted(one) === undefined) ?? '';
  context.addIssue(
    `must be the addresses and networks of your proxies (192.0.2.7, 10.0.0.0/24, 2001:db8::/64), with commas between; '${printable(wrong, 80)}' is none`,
  );
  return z.NEVER;
});

/** Whoever is listed may say to be anybody: everybody can't be meant, and a slip must not add neighbours. */
function trusted(text: string): Network | undefined {
  const network = parseNetwork(text);
  return network === undefined || network.bits === 0 || hasHostBits(network) ? undefined : network;
}

export const FRONT_SETTINGS = {
  GITMOUTH_PROXY_FROM: [
    proxies,
    '',
    'Addresses and networks of proxies (balancers) that begin each connection with a PROXY protocol header; unset, the protocol is off.',
  ],
  GITMOUTH_PROXY_HEADER_SECONDS: [
    seconds(1, 60),
    '5',
    'How long a proxy of GITMOUTH_PROXY_FROM may take to send its header, in seconds.',
  ],
} as const;

export interface FrontSource {
  readonly must: (name: 'GITMOUTH_PROXY_HEADER_SECONDS') => number;
  readonly read: (name: 'GITMOUTH_PROXY_FROM') => readonly Network[] | undefined;
}

export function readProxies({ must, read }: FrontSource): ProxyRules {
  return { from: read('GITMOUTH_PROXY_FROM') ?? [], headerMs: must('GITMOUTH_PROXY_HEADER_SECONDS') };
}
