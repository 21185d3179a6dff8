/** Keys, links and settings that the tests of dynos over SSH stand on. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadOrCreateClientKey } from '../../../src/adapters/ssh-dyno/client-key.js';
import { DEFAULT_SSH_DYNO_LIMITS, type SshDynoSettings } from '../../../src/adapters/ssh-dyno/settings.js';
import { SshDynoTransport } from '../../../src/adapters/ssh-dyno/ssh-dyno-transport.js';
import type { SshLink } from '../../../src/adapters/ssh-dyno/target.js';
import { shellWord } from '../../../src/adapters/ssh-dyno/command-line.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import { until } from '../../../src/contracts/contract.js';
import { DYNO_USER } from '../../support/ssh-dyno/sshd.js';
import { temporaryFolder } from '../../support/temporary.js';

export const MIB = 1024 ** 2;
export const GRACE_MS = 400;

let key: ReturnType<typeof loadOrCreateClientKey> | undefined;

/** The client key of a test file. */
export function clientKey(): ReturnType<typeof loadOrCreateClientKey> {
  key ??= loadOrCreateClientKey(join(temporaryFolder('client-key'), 'key'));
  return key;
}

export function transportWith(more: Partial<SshDynoSettings> = {}): SshDynoTransport {
  return new SshDynoTransport({
    ...DEFAULT_SSH_DYNO_LIMITS,
    clientKey: clientKey().privateKey,
    variables: 'auto',
    graceMs: GRACE_MS,
    ...more,
  });
}

/** Runs a script in place of git, and of the login shell. */
export function running(script: string, more: Partial<SshDynoSettings> = {}): SshDynoTransport {
  return transportWith({ commandOf: () => `exec sh -c ${shellWord(script)}`, ...more });
}

interface Place {
  readonly port: number;
  readonly hostKey: string;
}

export function dynoAt(
  { port, hostKey }: Place,
  more: Partial<Omit<SshLink, 'plan'>> & { readonly plan?: Partial<SshLink['plan']> } = {},
): Dyno {
  const plan = { service: 'git-upload-pack', access: 'read', environment: {}, secrets: [], ...more.plan } as const;
  return {
    id: 'dyno-1',
    link: { kind: 'ssh', host: '127.0.0.1', port, user: DYNO_USER, hostKey, repository: '/none', ...more, plan },
  };
}

/** In the kernel's words: being made, established, or left by the other end alone (proc(5), include/net/tcp_states.h). */
const HELD_STATES = ['02', '01', '08'];

/** Our ends of connections to a port, once those that are being closed have gone. */
export async function heldTo(port: number): Promise<readonly string[]> {
  await until(() => endsTo(port).length === 0, 'no connection is held', undefined, 2_000).catch(() => undefined);
  return endsTo(port);
}

function endsTo(port: number): readonly string[] {
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const ends = rows.map((row) => row.trim().split(/\s+/));
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return ends
    .filter(([, , remote, state = '']) => remote?.endsWith(`:${hex}`) === true && HELD_STATES.includes(state))
    .map(([, local]) => `a connection from ${local}`);
}
