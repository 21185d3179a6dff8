/** Throw-away certificates, made by openssl for one test file. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../temporary.js';

export interface Identity {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  /** Of the certificate: hex digits with colons. */
  readonly sha256: string;
}

/** A certificate authority of its own. */
export class Authority {
  readonly #folder = temporaryFolder('ca');
  #issued = 0;

  constructor() {
    this.#openssl('req', '-x509', ...newKey('ca.key'), '-out', 'ca.crt', '-days', '2', '-subj', '/CN=Throw-away CA');
  }

  /** What its clients trust, PEM. */
  get certificate(): string {
    return this.#read('ca.crt');
  }

  /** @param names as in a certificate: `DNS:localhost`, `IP:127.0.0.1`. */
  issue(names = 'DNS:localhost,IP:127.0.0.1', days = 2): Identity {
    const name = `server${(this.#issued += 1)}`;
    writeFileSync(join(this.#folder, `${name}.ext`), `subjectAltName=${names}\n`);
    this.#openssl('req', ...newKey(`${name}.key`), '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-days', String(days), '-out', `${name}.crt`);
    const cert = this.#read(`${name}.crt`);
    return { key: this.#read(`${name}.key`), cert, sha256: new X509Certificate(cert).fingerprint256 };
  }

  /** One whose last day is over. */
  issueExpired(): Identity {
    return this.issue(undefined, -1);
  }

  #read(name: string): string {
    return readFileSync(join(this.#folder, name), 'utf8');
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'pipe' });
  }
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}
