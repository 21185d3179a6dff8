/** What a platform is asked and told: the bodies of docs/platform-api.yaml. */
import type { Grant } from '../../domain/grant.js';
import type { GitRequest } from '../../domain/git-request.js';
import type { Certificate } from '../../domain/certificate.js';
import type { CertifiedProof } from '../../domain/proof.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { Caller, Session } from '../../domain/session.js';
import type { Usage } from '../../domain/usage.js';
import type { Outcome } from '../../domain/verdict.js';

/** How a session came out, as far as its platform is told. */
export type SessionOutcome = Outcome | { readonly kind: 'abandoned' };

/** What there is to tell of a session that has ended. */
export interface Ending {
  readonly session: string;
  readonly connection: string;
  readonly body: object;
}

export const NOTHING_USED: Usage = { bytesIn: 0, bytesOut: 0, phasesMs: {} };

export function findUserBody(key: PublicKey, address: string): object {
  return { key: keyBody(key), address };
}

export function findCertifiedBody({ user, key, certificate }: CertifiedProof, address: string): object {
  return { key: keyBody(key), address, user, certificate: certificateBody(certificate) };
}

export function authorizeBody(caller: Caller, { app, service, protocol }: GitRequest): object {
  return { ...callerBody(caller), app, service, protocol };
}

export function openSessionBody(grant: Grant, leaseToken: number | undefined, session: Session): object {
  const { caller, request } = session;
  return {
    session: session.id,
    ...callerBody(caller),
    app: grant.app,
    service: request.service,
    protocol: request.protocol,
    access: grant.access,
    creates: grant.creates,
    ...(grant.reference === undefined ? {} : { reference: grant.reference }),
    ...(leaseToken === undefined ? {} : { lease_token: leaseToken }),
  };
}

/** @param dyno the platform's id of it; undefined where none became known. */
export function endingOf(
  { id, caller }: Pick<Session, 'id' | 'caller'>,
  dyno: string | undefined,
  outcome: SessionOutcome,
  { bytesIn, bytesOut, phasesMs }: Usage,
): Ending {
  const phases = Object.entries(phasesMs).map(([phase, ms]) => [phase, Math.max(0, Math.round(ms))] as const);
  return {
    session: id,
    connection: caller.connection.id,
    body: {
      session: id,
      dyno: dyno ?? null,
      outcome: outcomeBody(outcome),
      bytes_in: bytesIn,
      bytes_out: bytesOut,
      phases_ms: Object.fromEntries<number>(phases),
    },
  };
}

function callerBody({ user, key, certificate, connection }: Caller): object {
  return {
    user: user.name,
    key: keyBody(key),
    ...(certificate === undefined ? {} : { certificate: certificateBody(certificate) }),
    address: connection.address,
  };
}

/** A serial may be greater than a number of JSON is everywhere. */
function certificateBody({ keyId, serial, principals, authority, validAfter, validBefore }: Certificate): object {
  return {
    key_id: keyId,
    serial: serial.toString(),
    principals,
    authority: authority.sha256,
    valid_after: secondsOf(validAfter),
    valid_before: secondsOf(validBefore),
  };
}

function secondsOf(ms: number): number | null {
  const seconds = Math.floor(ms / 1000);
  return Number.isSafeInteger(seconds) ? seconds : null;
}

function keyBody({ algorithm, blob, sha256, md5 }: PublicKey): object {
  return { algorithm, blob: Buffer.from(blob).toString('base64'), sha256, md5 };
}

function outcomeBody(outcome: SessionOutcome): object {
  switch (outcome.kind) {
    case 'ran':
      return outcome.exit.kind === 'code'
        ? { kind: 'ran', exit_status: outcome.exit.code }
        : { kind: 'ran', exit_signal: outcome.exit.signal };
    case 'faulted':
      return { kind: 'faulted', code: outcome.fault.code, stage: outcome.fault.stage };
    case 'ended':
      return { kind: 'ended', reason: outcome.reason };
    case 'crashed':
      return { kind: 'crashed' };
    // Whoever was refused, greeted or answered has used no dyno.
    case 'refused':
    case 'greeted':
    case 'answered':
    case 'abandoned':
      return { kind: 'abandoned' };
  }
}
