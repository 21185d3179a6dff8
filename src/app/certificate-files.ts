/** The files of an operator who trusts authorities: whom, and what was taken back. */
import type { PublicKey } from '../domain/public-key.js';
import { parseSha256Fingerprint } from '../domain/public-key.js';
import type { RevokedKeyId, RevokedSerials, Revocations } from '../domain/revocations.js';

/** Reads `<type> <base64> [comment]`. */
export type ReadKeyLine = (line: string) => { readonly key: PublicKey } | { readonly problem: string };

export interface FileReading<T> {
  readonly value: T;
  /** What is wrong, each with its line; the value is of no use then. */
  readonly problems: readonly string[];
}

/** More of them are no help. */
const MOST_PROBLEMS = 10;

/** What a file can be instead of one of lines. */
const PRIVATE_KEY = /PRIVATE KEY|^PuTTY-User-Key-File/m;
/** In decimal or hexadecimal; what begins with 0 would be octal to ssh-keygen. */
const SERIALS = /^(0|[1-9]\d{0,19}|0x[\da-f]{1,16})(?:[ \t]*-[ \t]*(0|[1-9]\d{0,19}|0x[\da-f]{1,16}))?$/i;
const BINARY_KRL = 'SSHKRL\n\0';

/** Public keys of authorities, one a line, as sshd_config(5) has TrustedUserCAKeys; `cert-authority` may stand in front. */
export function readAuthorities(text: string, readKeyLine: ReadKeyLine): FileReading<readonly PublicKey[]> {
  if (PRIVATE_KEY.test(text)) return nothing([], ['it is a private key, which has no place here: give the .pub file']);
  const keys: PublicKey[] = [];
  const problems = eachLine(text, (line) => {
    const reading = readKeyLine(line.replace(/^cert-authority[ \t]+/, ''));
    if ('problem' in reading) return reading.problem;
    keys.push(reading.key);
    return undefined;
  });
  if (problems.length === 0 && keys.length === 0) return nothing([], ['it holds no key']);
  return { value: keys, problems };
}

/**
 * A specification of a key revocation list (ssh-keygen(1)), as text: what `ssh-keygen -k` would make a binary one of, and
 * `ca:` besides, which its `-s` would say.
 */
export function readRevocations(text: string, readKeyLine: ReadKeyLine): FileReading<Revocations> {
  const list = new RevocationList(readKeyLine);
  const { keys, serials, keyIds } = list;
  const value = { keys, serials, keyIds };
  if (text.startsWith(BINARY_KRL)) {
    return nothing(value, [
      'it is a binary list as ssh-keygen -k makes it: give the text that it was made from (serial:, id:, sha256:, keys)',
    ]);
  }
  if (PRIVATE_KEY.test(text)) return nothing(value, ['it is a private key, which has no place here']);
  return { value, problems: eachLine(text, (line) => list.add(line)) };
}

/** Filled line by line. */
class RevocationList {
  readonly keys = new Set<string>();
  readonly serials: RevokedSerials[] = [];
  readonly keyIds: RevokedKeyId[] = [];
  readonly #readKeyLine: ReadKeyLine;
  /** The one that what follows is of; of any where there is none. */
  #of: { readonly authority?: string } = {};

  constructor(readKeyLine: ReadKeyLine) {
    this.#readKeyLine = readKeyLine;
  }

  /** @returns what is wrong with the line. */
  add(line: string): string | undefined {
    const [, word, rest = ''] = /^([a-z\d]+):[ \t]*(.*)$/i.exec(line) ?? [];
    switch (word?.toLowerCase()) {
      case undefined:
        return this.#addKey(line);
      case 'serial':
        return this.#addSerials(rest);
      case 'id':
        return this.#addKeyId(rest);
      case 'ca':
        return this.#beginAuthority(rest);
      case 'key':
      case 'sha1':
      case 'sha256':
      case 'hash':
        return this.#addKeyOrFingerprint(rest);
      default:
        return 'it begins with none of serial:, id:, key:, sha256:, hash: and ca:, and is no public key';
    }
  }

  #addSerials(text: string): string | undefined {
    const [, first, last = first] = SERIALS.exec(text) ?? [];
    if (first === undefined || last === undefined) return 'it must be serial: NUMBER or serial: FIRST-LAST';
    if (BigInt(first) > BigInt(last)) return 'the first serial is greater than the last';
    this.serials.push({ ...this.#of, first: BigInt(first), last: BigInt(last) });
    return undefined;
  }

  #addKeyId(keyId: string): string | undefined {
    if (keyId === '') return 'it must be id: KEY-ID, the one that ssh-keygen -I gave';
    // Which certificate is meant would be a guess, and a wrong one leaves it in force without a word.
    if (keyId.includes('#')) {
      return 'for ssh-keygen a comment begins at #: put that on a line of its own, and revoke a key id with # in it by its serial';
    }
    if (keyId.includes('\ufffd')) return 'the key id is not in UTF-8, as those of certificates are';
    this.keyIds.push({ ...this.#of, keyId });
    return undefined;
  }

  #beginAuthority(text: string): string | undefined {
    if (text === 'any') {
      this.#of = {};
      return undefined;
    }
    const authority = this.#fingerprintOf(text);
    if (authority === undefined) return 'it must be ca: FINGERPRINT, ca: PUBLIC-KEY, or ca: any';
    this.#of = { authority };
    return undefined;
  }

  #addKeyOrFingerprint(text: string): string | undefined {
    const fingerprint = parseSha256Fingerprint(text);
    if (fingerprint === undefined) return this.#addKey(text);
    this.keys.add(fingerprint);
    return undefined;
  }

  #addKey(line: string): string | undefined {
    const reading = this.#readKeyLine(line);
    if ('key' in reading) this.keys.add(reading.key.sha256);
    return 'problem' in reading ? reading.problem : undefined;
  }

  #fingerprintOf(text: string): string | undefined {
    const reading = this.#readKeyLine(text);
    return parseSha256Fingerprint(text) ?? ('key' in reading ? reading.key.sha256 : undefined);
  }
}

function nothing<T>(value: T, problems: readonly string[]): FileReading<T> {
  return { value, problems };
}

/** What is wrong, by lines; without the empty ones and the comments. */
function eachLine(text: string, read: (line: string) => string | undefined): readonly string[] {
  const problems = text.split(/\r?\n/).flatMap((raw, index) => {
    const line = raw.trim();
    const problem = line === '' || line.startsWith('#') ? undefined : read(line);
    return problem === undefined ? [] : [`line ${index + 1}: ${problem}`];
  });
  const more = problems.length - MOST_PROBLEMS;
  return more > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${more} more lines are wrong`] : problems;
}
