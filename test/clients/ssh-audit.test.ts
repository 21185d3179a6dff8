/** What ssh-audit, the tool that security reviewers run, says of the real server. */
import { afterEach, describe, expect } from '@jest/globals';
import { Door, execute } from '../support/door.js';
import type { AlgorithmSet } from '../../src/domain/algorithm-set.js';
import { needs } from '../support/programs.js';

/** Good, but newer than the ssh-audit of Debian 12, which warns of what it does not know. */
const NEWER_THAN_THE_TOOL = ['kex-strict-s-v00@openssh.com', 'mlkem768x25519-sha256'];

const { test } = needs('ssh-audit');
let door: Door;

afterEach(() => door.stop());

interface Remark {
  /** `kex`, `key`, `enc` or `mac`. */
  readonly kind: string;
  readonly algorithm: string;
  readonly level: string;
  readonly words: string;
}

/** Each remark about each algorithm: `(kex) name -- [warn] words`, or a line that goes on with `- [warn] words`. */
async function audit(algorithms: AlgorithmSet): Promise<readonly Remark[]> {
  door = new Door({ GITMOUTH_ALGORITHMS: algorithms });
  await door.start();
  const { stdout } = await execute('ssh-audit', ['--no-colors', `127.0.0.1:${door.port}`]);
  const remarks: Remark[] = [];
  for (const line of stdout.split('\n')) {
    const [, kind, algorithm] = /^\((kex|key|enc|mac)\) (\S+)/.exec(line) ?? [];
    const [, level, words] = /- \[(\w+)\] (.*)$/.exec(line) ?? [];
    if (level === undefined || words === undefined) continue;
    const before = remarks.at(-1);
    remarks.push({ kind: kind ?? before?.kind ?? '', algorithm: algorithm ?? before?.algorithm ?? '', level, words });
  }
  return remarks;
}

describe('ssh-audit', () => {
  test('finds no fault with the modern set, and knows all of it but what is newer than the tool', async () => {
    const remarks = await audit('modern');
    expect(new Set(remarks.map(({ kind }) => kind))).toEqual(new Set(['kex', 'key', 'enc', 'mac']));
    const faults = remarks.filter(({ level }) => level !== 'info');
    expect(faults.filter(({ algorithm }) => !NEWER_THAN_THE_TOOL.includes(algorithm))).toEqual([]);
    expect(faults.map(({ words }) => words)).toEqual(faults.map(() => 'unknown algorithm'));
  });

  test('finds in the compatible set what is there for old clients and nothing else, and no SHA-1', async () => {
    const remarks = await audit('compatible');
    const faulty = remarks.filter(
      ({ level, algorithm }) => level !== 'info' && !NEWER_THAN_THE_TOOL.includes(algorithm),
    );
    expect([...new Set(faulty.map(({ kind, algorithm }) => `${kind} ${algorithm}`))]).toEqual([
      'kex ecdh-sha2-nistp256',
      'kex ecdh-sha2-nistp384',
      'kex ecdh-sha2-nistp521',
      'key ecdsa-sha2-nistp256',
      'mac hmac-sha2-256',
      'mac hmac-sha2-512',
    ]);
    const names = remarks.map(({ algorithm }) => algorithm);
    expect(names).toContain('diffie-hellman-group14-sha256');
    expect(names.filter((name) => /sha1|^ssh-rsa$|^ssh-dss$|cbc|md5/.test(name))).toEqual([]);
  });
});
