import type { CertificateProblem } from '../certificate-policy.js';
import type { Certificate } from '../certificate.js';
import type { Proof } from '../proof.js';
import { utc } from './lines.js';
import { printable } from './printable.js';

/** Names of a certificate are its authority's to choose, and may be long. */
const LONGEST_NAME = 80;
const MOST_NAMES = 10;

const ASK_FOR_ANOTHER = 'Get a new certificate, or use a key that is registered here.';

/** Why a certificate makes nobody its holder: what is wrong with it, and what to do. */
export function certificateLines(problem: CertificateProblem): readonly string[] {
  switch (problem.kind) {
    case 'untrusted-authority':
      return ['Your certificate is of an authority that does not count here.', ASK_FOR_ANOTHER];
    case 'revoked':
      return ['Your certificate was revoked.', 'Ask whoever issued it; another certificate or key may still do.'];
    case 'weak-signature':
      return [
        'Your certificate is signed by RSA with SHA-1, which is broken.',
        'Have it signed anew: ssh-keygen of OpenSSH 8.2 or later signs by SHA-2.',
      ];
    case 'not-for-users':
      return [
        problem.type === 'host'
          ? 'Your certificate is for a host, and not for a user.'
          : 'Your certificate is neither for a user nor for a host.',
        'Have it made without ssh-keygen -h.',
      ];
    case 'not-yet-valid':
      return [
        `Your certificate is not valid before ${moment(problem.from) ?? 'a day too far to tell'}.`,
        'Wait, or have the clocks of your authority and of this server compared.',
      ];
    case 'expired':
      return [`Your certificate expired at ${moment(problem.since) ?? 'no time that can be told'}.`, ASK_FOR_ANOTHER];
    case 'unknown-option':
      return [
        `Your certificate has the critical option ${quoted(problem.option)}, which is unknown here.`,
        'Have one made without it: what is critical and not understood refuses a certificate.',
      ];
    case 'bad-option':
      return [
        `The critical option ${quoted(problem.option)} of your certificate can't be read, or is there twice.`,
        'Have one made whose options are as ssh-keygen(1) defines them.',
      ];
    case 'wrong-address':
      return [
        `Your certificate may not be used from your address, ${printable(problem.address)}.`,
        'Connect from where it may be used, or get one for this address.',
      ];
    case 'no-principals':
      return [
        'Your certificate names no principal, and so nobody in particular.',
        'Have it made with one: ssh-keygen -n <user>.',
      ];
    case 'wrong-principal':
      return [
        `Your certificate is for ${namesOf(problem.expected)}, and you log in as ${quoted(problem.login)}.`,
        'Log in as one it is for: ssh://<name>@…/<app>.git',
      ];
    case 'bad-name':
      return [
        `${quoted(problem.name)}, the ${problem.naming === 'key-id' ? 'key id' : 'principal'} of your certificate, can't be a user here.`,
        "Users have lower-case letters, digits, '.', '_' and '-' in their names: have it made for one of them.",
      ];
    case 'unknown-user':
      return [
        `Your certificate is for the user ${quoted(problem.user)}, and there is none of that name here.`,
        'Ask an operator to add them, or have it made for a user who is there.',
      ];
    case 'not-taken':
      return ['The users of this server are not known by certificates.', 'Use a key that is registered here.'];
  }
}

/** What somebody was recognised by, as the end of a sentence. */
export function proofClause({ key, certificate }: Proof): string {
  return certificate === undefined
    ? `the key ${key.sha256}`
    : `the certificate ${certificateFacts(certificate)} of the key ${key.sha256}`;
}

/** What a certificate is known by, in one line. */
export function certificateFacts({ keyId, serial, authority, validBefore }: Certificate): string {
  const until = moment(validBefore);
  const valid = until === undefined ? 'for ever' : `until ${until}`;
  return `${quoted(keyId)} (serial ${serial}, by ${authority.sha256}, valid ${valid})`;
}

/** What is later than the year 9999 is meant for ever. */
const LAST_MOMENT = Date.UTC(9999, 11, 31, 23, 59, 59);

function moment(ms: number): string | undefined {
  return ms <= LAST_MOMENT ? utc(ms) : undefined;
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map(quoted).join(', ');
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}

function quoted(name: string): string {
  return `'${printable(name, LONGEST_NAME)}'`;
}
