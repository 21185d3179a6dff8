/** Whom a certificate makes its holder here, and why it may not: PROTOCOL.certkeys, with the strictness of sshd(8). */
import type { Certificate } from './certificate.js';
import { hasHostBits, isWithin, parseNetwork, type Network } from './networks.js';
import type { Proof } from './proof.js';
import { isCertificateRevoked, NOTHING_REVOKED, type Revocations } from './revocations.js';
import { isUserName } from './user.js';

/** What of a certificate names its user. */
export const CERTIFICATE_NAMINGS = ['principal', 'key-id'] as const;

export type CertificateNaming = (typeof CERTIFICATE_NAMINGS)[number];

/** What an operator has decided on certificates. */
export interface CertificateTrust {
  /** SHA-256 fingerprints of the authorities whose certificates count. */
  readonly authorities: ReadonlySet<string>;
  readonly naming: CertificateNaming;
  readonly revocations: Revocations;
}

export const NO_CERTIFICATES: CertificateTrust = {
  authorities: new Set(),
  naming: 'principal',
  revocations: NOTHING_REVOKED,
};

/** Why a certificate makes nobody its holder. Texts of it are raw. */
export type CertificateProblem =
  | { readonly kind: 'untrusted-authority' }
  /** The certificate, its key or its authority. */
  | { readonly kind: 'revoked' }
  /** Its authority has signed by a hash that is broken. */
  | { readonly kind: 'weak-signature' }
  | { readonly kind: 'not-for-users'; readonly type: 'host' | 'unknown' }
  | { readonly kind: 'not-yet-valid'; readonly from: number }
  | { readonly kind: 'expired'; readonly since: number }
  | { readonly kind: 'unknown-option'; readonly option: string }
  | { readonly kind: 'bad-option'; readonly option: string }
  | { readonly kind: 'wrong-address'; readonly address: string }
  | { readonly kind: 'no-principals' }
  /** The login name has to be one of these, and is not. */
  | { readonly kind: 'wrong-principal'; readonly login: string; readonly expected: readonly string[] }
  /** What is to name the user is no name of one. */
  | { readonly kind: 'bad-name'; readonly name: string; readonly naming: CertificateNaming }
  /** It names somebody whom the platform does not know. */
  | { readonly kind: 'unknown-user'; readonly user: string }
  /** The platform has no use for certificates. */
  | { readonly kind: 'not-taken' };

/** When, from where and as whom a certificate is shown. */
export interface Showing {
  /** In milliseconds since the epoch. */
  readonly now: number;
  /** The client's. */
  readonly address: string;
  /** The SSH login name. */
  readonly login: string;
}

/** What a certificate that is in force says of its holder. */
export interface Certified {
  readonly user: string;
  /** Whether only signatures count that a security key made after it had verified its user. */
  readonly needsVerification: boolean;
}

/** Judges a certificate whose signature was verified. What no trusted authority signed is told of in no other way. */
export function judgeCertificate(
  { key, certificate }: Required<Proof>,
  showing: Showing,
  trust: CertificateTrust,
): Certified | CertificateProblem {
  const problem =
    trustProblem({ key, certificate }, trust) ??
    periodProblem(certificate, showing.now) ??
    optionProblem(certificate) ??
    addressProblem(certificate, showing.address);
  if (problem !== undefined) return problem;
  const name = namedBy(certificate, showing.login, trust.naming);
  if (typeof name !== 'string') return name;
  return { user: name, needsVerification: certificate.criticalOptions.some((option) => option.name === VERIFY) };
}

/** What of the answer depends on neither time, place nor login name: all that an operator can take back. */
export function trustProblem(
  { key, certificate }: Required<Proof>,
  { authorities, revocations }: CertificateTrust,
): CertificateProblem | undefined {
  const { authority, signatureAlgorithm, type } = certificate;
  if (!authorities.has(authority.sha256)) return { kind: 'untrusted-authority' };
  if (isCertificateRevoked(revocations, key, certificate)) return { kind: 'revoked' };
  // RSA with SHA-1 (RFC 4253 6.6).
  if (signatureAlgorithm === 'ssh-rsa') return { kind: 'weak-signature' };
  return type === 'user' ? undefined : { kind: 'not-for-users', type };
}

function periodProblem({ validAfter, validBefore }: Certificate, now: number): CertificateProblem | undefined {
  if (now < validAfter) return { kind: 'not-yet-valid', from: validAfter };
  return now < validBefore ? undefined : { kind: 'expired', since: validBefore };
}

const SOURCE = 'source-address';
const FORCE = 'force-command';
const VERIFY = 'verify-required';

/** Every critical option has to be understood, and to be written as it is defined; none counts twice. */
function optionProblem({ criticalOptions }: Certificate): CertificateProblem | undefined {
  const seen = new Set<string>();
  for (const { name, value } of criticalOptions) {
    const isGood = OPTIONS.get(name);
    if (isGood === undefined) return { kind: 'unknown-option', option: name };
    if (!isGood(value) || seen.has(name)) return { kind: 'bad-option', option: name };
    seen.add(name);
  }
  return undefined;
}

const OPTIONS: ReadonlyMap<string, (value: string | undefined) => boolean> = new Map([
  [SOURCE, (value) => networksOf(value) !== undefined],
  [FORCE, (value) => value !== undefined && value !== ''],
  [VERIFY, (value) => value === undefined || value === ''],
]);

/** A network with host bits may have been meant as something narrower, and OpenSSH takes none either. */
function networksOf(list: string | undefined): readonly Network[] | undefined {
  const networks = list?.split(',').map(parseNetwork);
  return networks?.every((network) => network !== undefined && !hasHostBits(network))
    ? networks.filter((network) => network !== undefined)
    : undefined;
}

function addressProblem(certificate: Certificate, address: string): CertificateProblem | undefined {
  const allowed = networksOf(valueOf(certificate, SOURCE));
  if (allowed === undefined || isWithin(address, allowed)) return undefined;
  return { kind: 'wrong-address', address };
}

/** The one command that a certificate is for; undefined for any. */
export function forcedCommandOf(certificate: Certificate | undefined): string | undefined {
  return certificate === undefined ? undefined : valueOf(certificate, FORCE);
}

function valueOf({ criticalOptions }: Certificate, option: string): string | undefined {
  return criticalOptions.find(({ name }) => name === option)?.value;
}

/** The user whom a certificate names, being in force or not. */
export function namedBy(
  { keyId, principals }: Certificate,
  login: string,
  naming: CertificateNaming,
): string | CertificateProblem {
  const [only, ...more] = principals;
  // One for everybody is made by leaving them out: too easy a mistake. sshd refuses it for TrustedUserCAKeys, too.
  if (only === undefined) return { kind: 'no-principals' };
  const name = naming === 'key-id' ? keyId : more.length === 0 ? only : login;
  const isNamed =
    naming === 'key-id' ? [login, keyId].some((one) => principals.includes(one)) : principals.includes(name);
  if (!isNamed) return { kind: 'wrong-principal', login, expected: principals };
  return isUserName(name) ? name : { kind: 'bad-name', name, naming };
}
