import ssh2, { type ClientChannel as Ssh2Channel } from 'ssh2';
import type { SignalName } from '../../../src/domain/dyno.js';
import type { Verdict } from '../../../src/domain/verdict.js';
import { clientChannelContract, type ClientChannelHarness } from '../../../src/contracts/client-channel.js';
import { until } from '../../../src/contracts/contract.js';
import { runContract } from '../../support/contract.js';
import { makePair, openGround } from './ground.js';
import { sendPayloads } from './raw-client.js';
import { channelRequest, string } from '../../support/ssh-bytes.js';

const pair = makePair();

runContract('the SSH client channel', clientChannelContract(openHarness));

/** One command over a real connection, which the test carries out. */
async function openHarness(): Promise<ClientChannelHarness> {
  const ground = await openGround();
  ground.gateway.platform.register('alice', pair.publicKey);
  ground.gateway.command = () => Promise.resolve();
  const client = new ssh2.Client();
  client.on('error', () => undefined);
  const stream = await new Promise<Ssh2Channel>((resolve, reject) => {
    client
      .once('error', reject)
      .once('ready', () => client.exec('run', (error, channel) => (error ? reject(error) : resolve(channel))))
      .connect({ host: '127.0.0.1', port: ground.port, username: 'git', privateKey: pair.privateKey });
  });
  await until(() => ground.gateway.requests.length > 0, 'the request arrives');
  const [request] = ground.gateway.requests;
  if (request === undefined) throw new Error('no request');
  return {
    channel: request.channel,
    client: {
      stdin: stream,
      stdout: stream,
      stderr: stream.stderr,
      exit: exitOf(client, stream),
      // ssh2's own `signal` knows fewer names than a hostile client.
      signal: (name) => sendPayloads(client, channelRequest(serverChannel(stream), 'signal', false, string(name))),
      leave: () => void client.destroy(),
    },
    async close() {
      client.destroy();
      await ground.close();
    },
  };
}

function serverChannel(stream: Ssh2Channel): number {
  return (stream as unknown as { outgoing: { id: number } }).outgoing.id;
}

function exitOf(client: ssh2.Client, stream: Ssh2Channel): Promise<Verdict['exit'] | undefined> {
  return new Promise((resolve) => {
    stream.on('exit', (code: number | null, signal?: string) => {
      if (code !== null) resolve({ code });
      // ssh2 puts SIG before whatever name it was told.
      else resolve({ signal: signal?.replace(/^SIG|@openssh\.com$/g, '') as SignalName });
    });
    client.on('close', () => resolve(undefined));
  });
}
