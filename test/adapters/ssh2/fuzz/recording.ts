/** What a good client sends in a whole session, kept so that it can be sent again, tampered with. */
import { channelRequest, MESSAGE, message, offer, openSession, string, uint32 } from '../../../support/ssh-bytes.js';
import { HostileClient } from '../../../support/hostile/client.js';
import type { FuzzGround } from './fuzz-ground.js';

export interface Recording {
  /** As it went over the line: identification, key exchange, then what only the keys of that session open. */
  readonly writes: readonly Buffer[];
  /** The messages after the key exchange. The log-in's proof is good for one connection alone (`proofAt`). */
  readonly payloads: readonly Buffer[];
  readonly proofAt: number;
}

/** A session as git has it: log-in by trial, an environment, a command, data both ways, new keys in between. */
export async function record({ port, key }: FuzzGround): Promise<Recording> {
  const writes: Buffer[] = [];
  const payloads: Buffer[] = [];
  const client = await HostileClient.dial(port);
  keepWrites(client, writes);
  try {
    client.identify();
    await client.exchangeKeys();
    keepPayloads(client, payloads);
    const request = { algorithm: 'ssh-ed25519', blob: key.blob };
    client.requestService();
    client.send(message(MESSAGE.USERAUTH_REQUEST, string('git'), string('ssh-connection'), string('none')));
    await client.next(MESSAGE.USERAUTH_FAILURE);
    client.send(offer(request));
    await client.next(MESSAGE.USERAUTH_PK_OK);
    const proofAt = payloads.length;
    client.prove(request, key);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    await converse(client);
    return { writes, payloads, proofAt };
  } finally {
    await client.close();
  }
}

/** The proof of a recording, made anew for a connection. */
export function proofFor(client: HostileClient, { key }: FuzzGround): Buffer {
  const payloads: Buffer[] = [];
  const { send } = client;
  client.send = (...sent) => void payloads.push(...sent);
  client.prove({ algorithm: 'ssh-ed25519', blob: key.blob }, key);
  client.send = send;
  return Buffer.concat(payloads);
}

async function converse(client: HostileClient): Promise<void> {
  client.send(HostileClient.globalRequest());
  await client.next(MESSAGE.REQUEST_FAILURE);
  client.send(openSession(0));
  await client.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION);
  client.send(channelRequest(0, 'env', true, string('GIT_PROTOCOL'), string('version=2')));
  await client.next(MESSAGE.CHANNEL_SUCCESS);
  client.send(channelRequest(0, 'exec', true, string("git-upload-pack 'app.git'")));
  await client.next(MESSAGE.CHANNEL_SUCCESS);
  for (const text of ['0014command=ls-refs\n0000', 'x'.repeat(1_000), '0000']) {
    client.send(message(MESSAGE.CHANNEL_DATA, uint32(0), string(text)));
    await client.next(MESSAGE.CHANNEL_DATA);
  }
  client.send(message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(0), uint32(2 ** 20)));
  client.send(channelRequest(0, 'signal', false, string('INT')));
  client.send(message(MESSAGE.CHANNEL_EOF, uint32(0)));
  await client.next(MESSAGE.CHANNEL_CLOSE);
  client.send(message(MESSAGE.CHANNEL_CLOSE, uint32(0)));
  client.send(message(MESSAGE.DISCONNECT, uint32(11), string('done'), string('')));
}

function keepWrites({ socket }: HostileClient, writes: Buffer[]): void {
  const write = socket.write.bind(socket);
  socket.write = (bytes: Buffer | string) => {
    writes.push(Buffer.from(bytes));
    return write(bytes);
  };
}

function keepPayloads(client: HostileClient, payloads: Buffer[]): void {
  const send = client.send.bind(client);
  client.send = (...sent) => {
    payloads.push(...sent);
    send(...sent);
  };
}
