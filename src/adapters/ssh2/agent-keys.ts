import ssh2, { type ParsedKey } from 'ssh2';

const TIMEOUT_MS = 2_000;

/**
 * The public keys an ssh agent holds, as `.pub` lines; none when it does not answer in time.
 * @param socket the agent's (`SSH_AUTH_SOCK`).
 */
export async function agentKeyLines(socket: string): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve([]);
    }, TIMEOUT_MS);
    ssh2.createAgent(socket).getIdentities((error, identities) => {
      clearTimeout(timer);
      resolve(error ? [] : (identities ?? []).flatMap(keyLine));
    });
  });
}

/** The agent answers with keys that are parsed, wrapped or raw, by their type. */
function keyLine(identity: unknown): string[] {
  const wrapped = identity as { pubKey?: unknown; comment?: unknown };
  const key = wrapped.pubKey ?? identity;
  const blob = Buffer.isBuffer(key) ? key : (key as ParsedKey).getPublicSSH();
  const type = blob.subarray(4, 4 + blob.readUInt32BE(0)).toString('latin1');
  const comment = typeof wrapped.comment === 'string' ? ` ${wrapped.comment}` : '';
  return [`${type} ${blob.toString('base64')}${comment}`];
}
