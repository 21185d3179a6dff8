/** The contract of Transport, against OpenSSH's own server. */
import { afterAll, beforeAll } from '@jest/globals';
import { until } from '../../../src/contracts/contract.js';
import { shellScript } from '../../../src/contracts/dyno-scripts.js';
import { transportContract, type TransportHarness } from '../../../src/contracts/transport.js';
import { runContract } from '../../support/contract.js';
import { needs } from '../../support/programs.js';
import { processesWith, Sshd } from '../../support/ssh-dyno/sshd.js';
import { clientKey, dynoAt, GRACE_MS, heldTo, running } from './ground.js';

let sshd: Sshd;
let dynos = 0;

/** Of one case. */
function openHarness(): TransportHarness {
  const scripts = new Map<string, string>();
  let isStalled = false;
  let graceMs = GRACE_MS;
  const running_ = running('exit 99');
  const left = () => [...scripts.keys()].flatMap((id) => processesWith(`GITMOUTH_SESSION_ID=${id}`));
  return {
    transport: {
      kind: 'ssh',
      capabilities: running_.capabilities,
      open: (dyno, signal) => running(scripts.get(dyno.id) ?? 'exit 99', { graceMs }).open(dyno, signal),
    },
    async dynoRunning(script) {
      const id = `dyno-${process.pid}-${dynos++}`;
      scripts.set(id, shellScript(script));
      return { ...dynoAt(sshd, { plan: { environment: { GITMOUTH_SESSION_ID: id } } }), id };
    },
    async running() {
      await until(() => left().length === 0, 'all have ended', undefined, 2_000).catch(() => undefined);
      return [...left().map(({ command }) => command), ...(await heldTo(sshd.port))];
    },
    brokenDyno: async () => dynoAt({ ...sshd, port: 1 }),
    // The dyno is destroyed: whoever served its session there, and the command.
    async lose({ id }) {
      const [command] = processesWith(`GITMOUTH_SESSION_ID=${id}`);
      if (command === undefined) throw new Error('nothing to lose');
      for (const pid of [command.parent, command.pid]) process.kill(pid, 'SIGKILL');
    },
    setGrace: (ms) => (graceMs = ms),
    async stall() {
      isStalled = true;
      sshd.standStill();
    },
    close: async () => {
      if (isStalled) sshd.goOn();
    },
  };
}

needs('sshd', 'bwrap').describe('dynos over SSH, behind sshd', () => {
  beforeAll(async () => {
    sshd = await Sshd.start(clientKey().publicKey, { acceptEnv: 'GITMOUTH_*' });
  });
  afterAll(() => sshd.stop());

  // sshd passes no signal on once the command itself has ended: what it left behind is the dyno's to end.
  runContract(
    'keep the contract of Transport',
    transportContract(async () => openHarness(), ['leave-behind', 'pause']),
  );
});
