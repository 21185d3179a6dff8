import type { CertificateConfig } from '../certificate-settings.js';
import type { Finding } from './doctor.js';

/** Whose certificates count and what was revoked, as the files say. What is wrong with a file stops every command. */
export function examineCertificates({ authorities, naming, revocations }: CertificateConfig): readonly Finding[] {
  const { keys, serials, keyIds } = revocations;
  const revoked = keys.size + serials.length + keyIds.length;
  const listed = revoked === 0 ? [] : [`${revoked} revocation(s), of ${keys.size} key(s) among them`];
  const says = [...authoritiesClause(authorities, naming), ...listed].join('; ');
  return says === '' ? [] : [{ check: 'certificates', state: 'ok', says }];
}

function authoritiesClause(authorities: CertificateConfig['authorities'], naming: string): readonly string[] {
  if (authorities === 'platform') return [`of the authorities that the platform names, by ${naming}`];
  if (authorities.length === 0) return [];
  return [`of ${authorities.map(({ sha256 }) => sha256).join(', ')}, by ${naming}`];
}
