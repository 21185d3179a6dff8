import { connect } from 'node:net';
import ssh2, { type ParsedKey } from 'ssh2';

const TIMEOUT_MS = 2_000;

/**
 * The public keys an ssh agent holds, as `.pub` lines; none when it does not answer in time.
 * @param path of the agent's socket (`SSH_AUTH_SOCK`).
 */
export async function agentKeyLines(path: string): Promise<readonly string[]> {
  // Not by ssh2's own agent, whose socket to an agent that never answers can't be closed.
  const socket = connect(path);
  const agent = new ssh2.AgentProtocol(true);
  try {
    return await new Promise((resolve) => {
      const none = () => {
        resolve([]);
      };
      socket.on('error', none).on('close', none).setTimeout(TIMEOUT_MS, none);
      agent.on('error', none);
      socket.pipe(agent).pipe(socket);
      agent.getIdentities((error, keys) => {
        resolve(error ? [] : (keys ?? []).map(keyLine));
      });
    });
  } finally {
    socket.destroy();
    agent.destroy();
  }
}

function keyLine(key: ParsedKey): string {
  const comment = key.comment.replace(/[\r\n]+/g, ' ');
  return `${key.type} ${key.getPublicSSH().toString('base64')} ${comment}`.trimEnd();
}
