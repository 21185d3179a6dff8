import { connect } from 'node:net';
import { algorithmOfBlob } from '../../domain/public-key.js';
import { Fields, stringField, Unreadable } from './user-keys/fields.js';

const TIMEOUT_MS = 2_000;

/** OpenSSH's agent answers with no more (AGENT_MAX_LEN). */
const LONGEST_ANSWER_BYTES = 256 * 1024;

/** draft-ietf-sshm-ssh-agent 6.1 */
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;

/**
 * The public keys an ssh agent holds, as `.pub` lines; none when it does not answer in time. ssh2's own agent leaves out
 * security keys and certificates.
 * @param path of the agent's socket (`SSH_AUTH_SOCK`).
 */
export async function agentKeyLines(path: string): Promise<readonly string[]> {
  const socket = connect(path);
  try {
    return await new Promise((resolve) => {
      let received = Buffer.alloc(0);
      const none = () => {
        resolve([]);
      };
      socket.on('error', none).on('close', none).setTimeout(TIMEOUT_MS, none);
      socket.on('data', (bytes: Buffer) => {
        received = Buffer.concat([received, bytes]);
        const lengthBytes = 4;
        if (received.length < lengthBytes) return;
        const end = lengthBytes + received.readUInt32BE();
        if (end > LONGEST_ANSWER_BYTES) none();
        else if (received.length >= end) resolve(linesOf(received.subarray(lengthBytes, end)));
      });
      socket.write(stringField(Uint8Array.of(REQUEST_IDENTITIES)));
    });
  } finally {
    socket.destroy();
  }
}

/** None for an answer to something else, or one that is damaged. */
function linesOf(answer: Buffer): readonly string[] {
  const fields = new Fields(answer, 'the answer of the agent is damaged');
  const lines: string[] = [];
  try {
    if (fields.byte() !== IDENTITIES_ANSWER) return [];
    for (let left = fields.uint32(); left > 0; left--) lines.push(keyLine(fields.string(), fields.string()));
    return lines;
  } catch (error) {
    if (error instanceof Unreadable) return [];
    throw error;
  }
}

function keyLine(blob: Buffer, comment: Buffer): string {
  const oneLine = comment.toString('utf8').replace(/[\r\n]+/g, ' ');
  return `${algorithmOfBlob(blob) ?? 'unknown'} ${blob.toString('base64')} ${oneLine}`.trimEnd();
}
