import {
  judgeCertificate,
  namedBy,
  trustProblem,
  type CertificateProblem,
  type CertificateTrust,
} from '../domain/certificate-policy.js';
import { Fault } from '../domain/fault.js';
import type { CertifiedProof, Proof } from '../domain/proof.js';
import type { Refusal } from '../domain/refusal.js';
import { isKeyRevoked } from '../domain/revocations.js';
import type { Caller, Connection } from '../domain/session.js';
import type { Clock } from '../ports/clock.js';

/** What was decided on keys and certificates. */
export interface ProofRules extends Omit<CertificateTrust, 'authorities'> {
  /** Undefined while it is not known which count. */
  readonly authorities: CertificateTrust['authorities'] | undefined;
}

/** What comes of a proof before any platform is asked. */
export type Judgement =
  /** Whose key it is, is the platform's to say. */
  | { readonly kind: 'key' }
  /** The certificate is in force; whether there is such a user is the platform's to say. */
  | { readonly kind: 'certified'; readonly proof: CertifiedProof; readonly needsVerification: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Judges keys and certificates by what is known here: asked for each log-in and each request, as time passes. */
export class ProofJudge {
  readonly #rules: () => ProofRules;
  readonly #clock: Pick<Clock, 'now'>;

  /** @param rules as they are when they are asked for. */
  constructor(rules: () => ProofRules, clock: Pick<Clock, 'now'>) {
    this.#rules = rules;
    this.#clock = clock;
  }

  /** @throws Fault (stage `identify`) for a certificate, while it is not known which authorities count. */
  judge({ key, certificate }: Proof, { address, login }: Connection): Judgement {
    if (certificate === undefined) {
      return isKeyRevoked(this.#rules().revocations, key) ? refused({ kind: 'key-revoked' }) : { kind: 'key' };
    }
    const trust = this.#trust();
    if (trust === undefined) {
      throw new Fault('GM_UNAVAILABLE', 'identify', 'the platform has not told yet which authorities count');
    }
    const answer = judgeCertificate({ key, certificate }, { now: this.#clock.now(), address, login }, trust);
    if ('kind' in answer) return refused(refusalOf(answer));
    const { user, needsVerification } = answer;
    return { kind: 'certified', proof: { user, key, certificate }, needsVerification };
  }

  /** Whether a caller's key or certificate was taken back, or is somebody else's by now. What has only run out ends nothing that runs. */
  isTakenBack({ key, certificate, user, connection }: Caller): boolean {
    if (certificate === undefined) return isKeyRevoked(this.#rules().revocations, key);
    const trust = this.#trust();
    if (trust === undefined) return false;
    const isNamed = namedBy(certificate, connection.login, trust.naming) === user.name;
    return !isNamed || trustProblem({ key, certificate }, trust) !== undefined;
  }

  #trust(): CertificateTrust | undefined {
    const { authorities, ...rest } = this.#rules();
    return authorities && { ...rest, authorities };
  }
}

/** Whoever shows what nobody here has signed learns no more than one who shows an unknown key. */
function refusalOf(problem: CertificateProblem): Refusal {
  return problem.kind === 'untrusted-authority' ? { kind: 'unknown-key' } : { kind: 'certificate', problem };
}

function refused(refusal: Refusal): Judgement {
  return { kind: 'refused', refusal };
}
