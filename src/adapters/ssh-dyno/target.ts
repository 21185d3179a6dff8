import type { DynoLink } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import { signatureAlgorithms, type PublicKey } from '../../domain/public-key.js';
import { printable } from '../../domain/words/printable.js';
import { ALGORITHMS } from '../ssh2/algorithms.js';
import { readKeyLine } from '../ssh2/public-keys.js';

export type SshLink = Extract<DynoLink, { kind: 'ssh' }>;

type HostKeyAlgorithm = (typeof ALGORITHMS.modern.serverHostKey)[number];

/** A dyno's SSH server, checked as far as that can be done from here. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: PublicKey;
  /** The names a signature by that key may have. */
  readonly hostKeyAlgorithms: HostKeyAlgorithm[];
  /** Values that no log may show, should the dyno say them back. */
  readonly secrets: readonly string[];
}

/** Control characters, among them line ends: no path of a repository has any. */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

const LONGEST_PATH = 4096;

/** @throws Fault (stage `connect`) that says what of the platform's answer can't be used. */
export function targetOf(link: SshLink): Target {
  const { host, port, user, repository, plan } = link;
  if (host === '' || CONTROL.test(host)) throw unusable('its host is no name or address');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw unusable(`its port is ${port}`);
  if (user === '' || CONTROL.test(user)) throw unusable('its user is no name');
  if (!isPath(repository)) {
    const shape = 'a path without control characters that does not begin with "-"';
    throw unusable(`its repository ${printable(JSON.stringify(repository), 100)} is not ${shape}`);
  }
  const reading = readKeyLine(link.hostKey);
  if ('problem' in reading) throw unusable(`its host key: ${reading.problem}`);
  const { key } = reading;
  const hostKeyAlgorithms = ALGORITHMS.modern.serverHostKey.filter((name) =>
    signatureAlgorithms(key.algorithm).includes(name),
  );
  if (hostKeyAlgorithms.length === 0)
    throw unusable(`its host key is of the type ${key.algorithm}: pin the Ed25519 or the RSA key of the dyno`);
  const secrets = plan.secrets.flatMap((name) => plan.environment[name] ?? []);
  return { host, port, user, hostKey: key, hostKeyAlgorithms, secrets };
}

/** What begins with a dash would be an option of git's. */
function isPath(repository: string): boolean {
  const isBounded = repository !== '' && repository.length <= LONGEST_PATH;
  return isBounded && !repository.startsWith('-') && !CONTROL.test(repository);
}

function unusable(why: string): Fault {
  return new Fault('GM_BAD_ANSWER', 'connect', `the link to the dyno can't be used: ${why}`);
}
