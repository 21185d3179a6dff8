/** What client and server have agreed on for a connection (RFC 4253 7.1), by the names in their KEXINITs. */
export interface Negotiated {
  readonly keyExchange: string;
  /** The name of the signature by the host key. */
  readonly hostKey: string;
  /** From the client, and to it: mostly the same. */
  readonly cipherIn: string;
  readonly cipherOut: string;
  /** Whether the first key exchange was strict, so that nobody on the way could drop messages (CVE-2023-48795). */
  readonly isStrict: boolean;
}

/** Those that a quantum computer of a later day does not undo, as far as is known; of them gitmouth offers the first. */
const POST_QUANTUM = /^(?:mlkem|sntrup)/;

/** Whether who records the traffic today will not read it one day. */
export function isPostQuantum(keyExchange: string): boolean {
  return POST_QUANTUM.test(keyExchange);
}
