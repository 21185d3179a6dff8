/** An ssh agent that holds keys no file can hold (draft-ietf-sshm-ssh-agent). */
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Reader, string, uint32 } from './ssh-bytes.js';
import { temporaryFolder } from './temporary.js';

const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;

/** What it holds: a blob, and what signs for it. */
export interface AgentKey {
  readonly blob: Buffer;
  sign(data: Buffer): Buffer;
}

export class Agent {
  readonly path = join(temporaryFolder('agent'), 'socket');
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(keys: readonly AgentKey[]) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      let unread = Buffer.alloc(0);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
      socket.on('data', (bytes) => {
        unread = Buffer.concat([unread, Buffer.from(bytes)]);
        while (unread.length >= 4 && unread.length >= 4 + unread.readUInt32BE()) {
          const end = 4 + unread.readUInt32BE();
          socket.write(string(answer(keys, unread.subarray(4, end))));
          unread = unread.subarray(end);
        }
      });
    });
  }

  static async start(...keys: readonly AgentKey[]): Promise<Agent> {
    const agent = new Agent(keys);
    await new Promise<void>((resolve) => agent.#server.listen(agent.path, resolve));
    return agent;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function answer(keys: readonly AgentKey[], request: Buffer): Buffer {
  if (request[0] === REQUEST_IDENTITIES) {
    const listed = keys.flatMap(({ blob }) => [string(blob), string('held by a test')]);
    return Buffer.concat([Buffer.from([IDENTITIES_ANSWER]), uint32(keys.length), ...listed]);
  }
  if (request[0] !== SIGN_REQUEST) return Buffer.from([FAILURE]);
  const fields = new Reader(request);
  const blob = fields.string();
  const data = fields.string();
  const key = keys.find((one) => one.blob.equals(blob));
  if (key === undefined) return Buffer.from([FAILURE]);
  return Buffer.concat([Buffer.from([SIGN_RESPONSE]), string(key.sign(data))]);
}
