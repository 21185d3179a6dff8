import type { Negotiated } from './negotiated.js';
import { isPostQuantum } from './negotiated.js';
import type { PublicKey } from './public-key.js';
import type { Caller } from './session.js';

/** What a user should change about their client or key. Closed; the words are in `words/self-report.ts`. */
export type Advice =
  /** The client knows no post-quantum key exchange that this door has. */
  | { readonly kind: 'no-post-quantum'; readonly keyExchange: string }
  /** It knows one, and is configured not to use it. */
  | { readonly kind: 'post-quantum-off'; readonly keyExchange: string }
  /** Messages could be dropped on the way unseen, under a cipher that does not notice (CVE-2023-48795). */
  | { readonly kind: 'not-strict'; readonly cipher: string }
  | { readonly kind: 'short-rsa'; readonly bits: number }
  /** A client that nobody maintains any more. */
  | { readonly kind: 'abandoned-client' };

/** NIST SP 800-57 part 1, table 2: 128 bits of security. */
const ENOUGH_RSA_BITS = 3072;

/** The first OpenSSH with mlkem768x25519-sha256 (its release notes). */
const POST_QUANTUM_OPENSSH = 9.9;

/** JSch 0.1 ended with 0.1.55 in 2018; its fork counts from 0.2 on. */
const ABANDONED = /^JSCH-0\.1\.|^libssh2_1\.[0-8](?:\.|$)/;

/** Counter mode tells a missing message by its MAC, and GCM by its own counter; this one was built without either. */
const UNNOTICING = 'chacha20-poly1305@openssh.com';

/** Most important first. */
export function adviceFor({ connection, key }: Caller): readonly Advice[] {
  const { negotiated, software } = connection;
  const bits = rsaBits(key);
  return [
    ...(negotiated === undefined ? [] : ofNegotiated(negotiated, software)),
    ...(bits === undefined || bits >= ENOUGH_RSA_BITS ? [] : [{ kind: 'short-rsa', bits } as const]),
    ...(ABANDONED.test(software) ? [{ kind: 'abandoned-client' } as const] : []),
  ];
}

function ofNegotiated({ keyExchange, cipherIn, cipherOut, isStrict }: Negotiated, software: string): readonly Advice[] {
  const kind = (openSshVersion(software) ?? 0) >= POST_QUANTUM_OPENSSH ? 'post-quantum-off' : 'no-post-quantum';
  const cipher = [cipherIn, cipherOut].find((name) => name === UNNOTICING);
  return [
    ...(isPostQuantum(keyExchange) ? [] : [{ kind, keyExchange } as const]),
    ...(isStrict || cipher === undefined ? [] : [{ kind: 'not-strict', cipher } as const]),
  ];
}

/** `9.2` of `OpenSSH_9.2p1 Debian-2`, as a number; also of `OpenSSH_for_Windows_9.5`. */
function openSshVersion(software: string): number | undefined {
  const version = /^OpenSSH_(?:for_Windows_)?(\d{1,3}\.\d)/.exec(software)?.[1];
  return version === undefined ? undefined : Number(version);
}

/** The length of an RSA key's modulus, the second number of its blob (RFC 4253 6.6); undefined for other keys. */
export function rsaBits({ algorithm, blob }: PublicKey): number | undefined {
  if (algorithm !== 'ssh-rsa') return undefined;
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  let at = 0;
  for (let field = 0; field < 2; field += 1) {
    if (at + 4 > blob.length) return undefined;
    at += 4 + view.getUint32(at);
  }
  if (at + 4 > blob.length) return undefined;
  const number = blob.subarray(at + 4, at + 4 + view.getUint32(at));
  const first = number.findIndex((byte) => byte !== 0);
  if (first < 0) return undefined;
  return (number.length - first) * 8 - Math.clz32(number[first] ?? 0) + 24;
}
