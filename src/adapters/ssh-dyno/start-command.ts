import { Fault } from '../../domain/fault.js';
import { string } from '../ssh2/messages.js';
import type { DynoChannel } from './channel.js';
import { LONGEST_COMMAND_BYTES, withVariables } from './command-line.js';
import type { SshLink } from './target.js';

/**
 * How a session's variables get to its command: as environment, which the dyno's SSH server has to accept; in front of
 * the command; or there only those that were not accepted. Secret ones go as environment or not at all.
 */
export type VariablesWay = 'auto' | 'environment' | 'command';

/** Without it git speaks protocol 0, which every client understands. */
const DISPENSABLE = 'GIT_PROTOCOL';

const ADVICE = "let the dyno's SSH server accept it as environment (AcceptEnv in sshd_config)";

/** @throws Fault (stage `connect`) when the dyno does not take a variable, or does not run the command. */
export async function startCommand(
  channel: DynoChannel,
  plan: SshLink['plan'],
  way: VariablesWay,
  command: string,
): Promise<void> {
  const isSecret = (name: string) => plan.secrets.includes(name);
  const variables = Object.entries(plan.environment);
  const offered = variables.filter(([name]) => way !== 'command' || isSecret(name));
  // All at once: replies come in the order of the requests (RFC 4254 5.4).
  const granted = await Promise.all(
    offered.map(([name, value]) => channel.request('env', string(name), string(value))),
  );
  const missing = variables.filter((variable) => granted[offered.indexOf(variable)] !== true);
  for (const [name] of missing) {
    if (isSecret(name)) throw refused(`the variable ${name} is secret, and the dyno refuses it: ${ADVICE}`);
    if (way === 'environment' && name !== DISPENSABLE)
      throw refused(`the dyno refuses the variable ${name}: ${ADVICE}`);
  }
  const line = withVariables(command, way === 'environment' ? [] : missing);
  if (Buffer.byteLength(line) > LONGEST_COMMAND_BYTES)
    throw refused(`the variables are too long for a command line (${LONGEST_COMMAND_BYTES} bytes): ${ADVICE}`);
  if (!(await channel.request('exec', string(line)))) throw refused('the dyno does not run git');
}

function refused(why: string): Fault {
  return new Fault('GM_DYNO_START', 'connect', why);
}
