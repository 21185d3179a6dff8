/** Signals from a real SSH client, through the server and bubblewrap, to a process that says which it got. */
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { ContainerModule } from 'inversify';
import {
  MemoryAccessControl,
  MemoryAuthenticator,
  MemoryObserver,
  MemoryPlatform,
  MemoryLiveConnections,
} from '../../src/adapters/memory/index.js';
import { ProcessTransport } from '../../src/adapters/process/process-transport.js';
import { readConfig } from '../../src/app/config.js';
import { createGateway } from '../../src/app/gateway.js';
import { tokens } from '../../src/app/tokens.js';
import { until } from '../../src/contracts/contract.js';
import { bareRepository, bubblewrap } from '../adapters/process/ground.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';
import { SshClient } from './ssh-client.js';

const { test } = needs('git', 'bwrap', 'prlimit');

const NAMES = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'] as const;
const TRAPS = NAMES.map((name) => `trap 'echo ${name}' ${name}`).join('; ');
const SCRIPT = `${TRAPS}; echo ready; while :; do sleep 0.02; done`;

test('each signal that a client may send reaches the command, which may handle it; KILL ends it', async () => {
  const platform = new MemoryPlatform();
  const repository = bareRepository();
  const plan = { service: 'git-receive-pack', access: 'write', environment: {}, secrets: [] } as const;
  const dyno = { id: 'dyno-1', link: { kind: 'process', repository, plan } } as const;
  const module = new ContainerModule(({ rebind }) => {
    rebind(tokens.authenticator).toConstantValue(new MemoryAuthenticator(platform));
    rebind(tokens.accessControl).toConstantValue(new MemoryAccessControl(platform));
    rebind(tokens.observer).toConstantValue(new MemoryObserver());
    rebind(tokens.connections).toConstantValue(new MemoryLiveConnections(platform));
    rebind(tokens.provisioner).toConstantValue({ provision: async () => dyno, release: async () => undefined });
    rebind(tokens.transport).toConstantValue(
      new ProcessTransport({ sandbox: bubblewrap(), graceMs: 500, commandOf: () => ['sh', '-c', SCRIPT] }),
    );
  });
  const data = join(temporaryFolder('gateway'), 'data');
  const environment = { GITMOUTH_DATA: data, GITMOUTH_LISTEN: '127.0.0.1:0', GITMOUTH_SANDBOX: 'none' };
  const gateway = await createGateway(readConfig({}, environment), module);
  const { port } = await gateway.start();
  const client = new SshClient();
  try {
    platform.register('alice', client.key);
    platform.createApp('shop', 'alice');
    await client.connect(port);
    const running = await client.start("git-receive-pack 'shop.git'");
    let expected = 'ready\n';
    for (const name of NAMES) {
      await until(() => running.heard.stdout === expected, `it says ${expected}`);
      running.signal(name);
      expected += `${name}\n`;
    }
    await until(() => running.heard.stdout === expected, `it says ${expected}`);
    running.signal('KILL');
    expect((await running.answer).exit).toBe('SIGKILL');
    await client.end();
  } finally {
    await gateway.stop();
  }
});
