/** The operator's commands against one door: what lists say, and how refusals read. */
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { execute, type Door, type Result } from './door.js';
import { temporaryFolder } from './temporary.js';

// eslint-disable-next-line no-control-regex
export const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

export class Operator {
  readonly #door: Door;

  constructor(door: Door) {
    this.#door = door;
  }

  /** What a list says as JSON. */
  async listed(...args: string[]): Promise<Record<string, unknown>[]> {
    const { code, stdout } = await this.#door.cli(...args, '--json');
    expect(code).toBe(0);
    return JSON.parse(stdout) as Record<string, unknown>[];
  }

  /** Exit status 1, nothing on standard output, and one clean sentence on standard error. */
  async refused(args: readonly string[], sentence: RegExp): Promise<Result> {
    const result = await this.#door.cli(...args);
    expect({ args, ...result }).toEqual({ args, code: 1, stdout: '', stderr: expect.stringMatching(sentence) });
    expect(result.stderr).not.toMatch(/^ +at |node:internal/m);
    expect(result.stderr).not.toMatch(UNSAFE);
    return result;
  }

  /** As `refused`, for many that do not depend on each other. */
  async allRefused(cases: readonly (readonly [args: readonly string[], sentence: RegExp])[]): Promise<void> {
    const waiting = [...cases];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await this.refused(...next);
    };
    await Promise.all([worker(), worker(), worker()]);
  }
}

export async function newKey(comment = 'a comment'): Promise<{ file: string; fingerprint: string }> {
  const file = join(temporaryFolder('key'), 'id');
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
  const { stdout } = await execute('ssh-keygen', ['-l', '-f', file]);
  return { file: `${file}.pub`, fingerprint: /SHA256:\S+/.exec(stdout)?.[0] ?? '' };
}
