/** The contract of Transport, against gitmouth's own SSH server, which runs each command as a process here. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ProcessTransport } from '../../../src/adapters/process/process-transport.js';
import { shellWord } from '../../../src/adapters/ssh-dyno/command-line.js';
import { bridge } from '../../../src/app/bridge.js';
import { never, until } from '../../../src/contracts/contract.js';
import { shellScript } from '../../../src/contracts/dyno-scripts.js';
import { transportContract, type TransportHarness } from '../../../src/contracts/transport.js';
import { readKeyLine } from '../../../src/adapters/ssh2/public-keys.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../../src/domain/admission-policy.js';
import { runContract } from '../../support/contract.js';
import { processesWith } from '../../support/ssh-dyno/sshd.js';
import { bareRepository, unsandboxed } from '../process/ground.js';
import { openGround, type Ground, type Request } from '../ssh2/ground.js';
import { clientKey, dynoAt, GRACE_MS, heldTo, transportWith } from './ground.js';

let ground: Ground;
let repository: string;
let dynos = 0;

/** As gitmouth serves a session, for any command. */
async function run({ ask, channel }: Request): Promise<void> {
  if (ask.kind !== 'command') throw new Error('a dyno is asked for a command');
  const { command } = ask;
  const transport = new ProcessTransport({
    sandbox: unsandboxed(),
    graceMs: GRACE_MS,
    commandOf: () => ['sh', '-c', command],
  });
  const plan = { service: 'git-upload-pack', access: 'read', environment: {}, secrets: [] } as const;
  const session = await transport.open({ id: 'inner', link: { kind: 'process', repository, plan } }, never());
  try {
    const exit = await bridge(channel, session, { bytesIn: 0, bytesOut: 0 }, channel.gone);
    await channel.finish({ words: '', exit: exit.kind === 'code' ? { code: exit.code } : { signal: exit.signal } });
  } catch {
    // The client is gone.
  } finally {
    await session.close();
  }
}

function openHarness(): TransportHarness {
  const scripts = new Map<string, string>();
  let graceMs = GRACE_MS;
  const transportFor = (id: string) =>
    transportWith({ graceMs, commandOf: () => `sh -c ${shellWord(scripts.get(id) ?? 'exit 99')}` });
  const left = () => [...scripts.keys()].flatMap((id) => processesWith(`GITMOUTH_SESSION_ID=${id}`));
  const place = () => ({ port: ground.port, hostKey: ground.hostKeys[0]?.publicLine ?? '' });
  return {
    transport: {
      kind: 'ssh',
      capabilities: transportWith().capabilities,
      open: (dyno, signal) => transportFor(dyno.id).open(dyno, signal),
    },
    async dynoRunning(script) {
      const id = `dyno-${process.pid}-${dynos++}`;
      scripts.set(id, shellScript(script));
      return { ...dynoAt(place(), { plan: { environment: { GITMOUTH_SESSION_ID: id } } }), id };
    },
    async running() {
      await until(() => left().length === 0, 'all have ended', undefined, 2_000).catch(() => undefined);
      return [...left().map(({ command }) => command), ...(await heldTo(ground.port))];
    },
    brokenDyno: async () => dynoAt({ ...place(), port: 1 }),
    setGrace: (ms) => (graceMs = ms),
    lose: async () => ground.server.cutConnections(),
    close: async () => undefined,
  };
}

describe('dynos over SSH, behind gitmouth', () => {
  beforeAll(async () => {
    repository = bareRepository();
    const limits = { ...DEFAULT_ADMISSION_LIMITS, connectionsPerUser: 64 };
    ground = await openGround({ limits });
    const reading = readKeyLine(clientKey().publicKey);
    if ('problem' in reading) throw new Error(reading.problem);
    ground.gateway.platform.register('gitmouth', reading.key);
    ground.gateway.command = run;
  });
  afterAll(() => ground.close());

  // It cannot be made to stand still in the process that the test runs in too.
  runContract(
    'keep the contract of Transport',
    transportContract(async () => openHarness(), ['stall', 'pause']),
  );

  test('exchange keys that are post-quantum, as both sides can', () => {
    const agreed = ground.observer.ofType('login-succeeded').map(({ keyExchange }) => keyExchange);
    expect(new Set(agreed)).toEqual(new Set(['mlkem768x25519-sha256']));
  });
});
