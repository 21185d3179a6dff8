import type { ServerChannel, Session as Ssh2Session } from 'ssh2';
import { isClientSignal } from '../../domain/dyno.js';
import { parseGitProtocol } from '../../domain/git-request.js';
import type { Ask } from '../../ports/git-gateway.js';
import { SshChannel } from './channel.js';
import { hasCommand, type ServerWire } from './internals.js';
import type { Outflow } from './outflow.js';

/** A client sends one or two; more is a client that wants something else. */
const MAX_ENVIRONMENT_REQUESTS = 16;

/**
 * Listens to the requests of one session channel (RFC 4254 6) and hands the one command it may run to `serve`.
 *
 * What has no listener here ssh2 refuses by itself: subsystems, agent and X11 forwarding.
 */
export function listenToSession(
  session: Ssh2Session,
  wire: ServerWire,
  outflow: Outflow,
  connectionGone: AbortSignal,
  serve: (ask: Ask, channel: SshChannel) => void,
): void {
  let gitProtocol: string | undefined;
  let environmentRequests = 0;
  let served: SshChannel | undefined;

  const begin = (accept: () => ServerChannel, ask: Ask) => {
    // A second command on the same channel (RFC 4254 6.5: only one may succeed); the wire refuses it.
    if (hasCommand(session)) return;
    served = new SshChannel(accept(), wire, outflow, connectionGone);
    serve(ask, served);
  };

  // `accept` and `reject` are undefined where the client wants no reply.
  session.on('env', (accept, reject, info) => {
    environmentRequests += 1;
    const isGood = info.key === 'GIT_PROTOCOL' && parseGitProtocol(info.val) !== undefined;
    if (!isGood || environmentRequests > MAX_ENVIRONMENT_REQUESTS) {
      (reject as (() => void) | undefined)?.();
      return;
    }
    gitProtocol = info.val;
    (accept as (() => void) | undefined)?.();
  });
  session.on('pty', (_accept, reject) => {
    (reject as (() => void) | undefined)?.();
  });
  session.on('signal', (accept, reject, info) => {
    if (served === undefined || !isClientSignal(info.name)) {
      (reject as (() => void) | undefined)?.();
      return;
    }
    (accept as (() => void) | undefined)?.();
    served.signal(info.name);
  });
  session.on('exec', (accept, _reject, info) => {
    begin(accept, {
      kind: 'command',
      command: info.command,
      ...(gitProtocol === undefined ? {} : { gitProtocol }),
    });
  });
  session.on('shell', (accept) => {
    begin(accept, { kind: 'shell' });
  });
  session.on('close', () => {
    served?.leave();
  });
  session.on('error', () => {
    served?.leave();
  });
}
