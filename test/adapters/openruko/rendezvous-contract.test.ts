import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { RendezvousTransport } from '../../../src/adapters/openruko/rendezvous-transport.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import type { DynoSession, Transport } from '../../../src/ports/transport.js';
import { until, within } from '../../../src/contracts/contract.js';
import { shellScript } from '../../../src/contracts/dyno-scripts.js';
import { transportContract } from '../../../src/contracts/transport.js';
import { runContract } from '../../support/contract.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { DynoHost } from '../../support/openruko/dyno-host.js';
import { needs } from '../../support/programs.js';
import { openGround } from './ground.js';

/** Commands here speak first, as git does on the server's side. */
const GREETING = '0009hello0000';

/** The transport, with the greeting read: what follows is what the contract's scripts say. */
function greeted(transport: Transport): Transport {
  return {
    kind: transport.kind,
    capabilities: transport.capabilities,
    async open(dyno, signal) {
      const session = await transport.open(dyno, signal);
      await within(greetingOf(session), 'the greeting');
      return session;
    },
  };
}

async function greetingOf({ stdout }: DynoSession): Promise<void> {
  for (;;) {
    const greeting: unknown = stdout.read(GREETING.length);
    if (greeting !== null) return;
    await new Promise((resolve) => stdout.once('readable', resolve));
  }
}

/** In the kernel's words: being made, established, or left by the other end alone (proc(5), include/net/tcp_states.h). */
const HELD_STATES = ['02', '01', '08'];

/** Our ends of connections to a port. The other end does not see that we have left while it does not read. */
function heldTo(port: number): string[] {
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const ends = rows.map((row) => row.trim().split(/\s+/));
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return ends
    .filter(([, , remote, state = '']) => remote?.endsWith(`:${hex}`) === true && HELD_STATES.includes(state))
    .map(([, local]) => `a connection from ${local}`);
}

needs('openssl').describe('the rendezvous transport keeps the contract', () => {
  runContract(
    'of Transport',
    transportContract(async () => {
      const { identity, trust } = openGround();
      const host = await DynoHost.start({ identity });
      const settings = { port: host.port, serviceKey: SERVICE_KEY, trust, connectMs: 20_000, firstWordMs: 10_000 };
      const link = { kind: 'rendezvous', host: '127.0.0.1', service: 'git-upload-pack' } as const;
      return {
        transport: greeted(new RendezvousTransport(settings)),
        async dynoRunning(script): Promise<Dyno> {
          const id = host.take(['sh', '-c', `printf ${GREETING}; ${shellScript(script)}`]);
          return { id, link };
        },
        // What runs in a dyno goes on when its client leaves: the transport says so. A connection must not stay.
        async running() {
          await until(() => heldTo(host.port).length === 0, 'no connection is held').catch(() => undefined);
          return heldTo(host.port);
        },
        brokenDyno: async () => ({ id: randomUUID(), link }),
        lose: async (dyno) => host.cut(dyno.id),
        stall: async () => void (host.isStalled = true),
        close: () => host.stop(),
      };
    }, ['signals', 'exitStatus', 'stderr', 'pause', 'endOfInput', 'leave-behind', 'ownDeath', 'setGrace']),
  );
});
