/** The file of `--config` (or GITMOUTH_CONFIG), in the form of .env.example: what can be read again while gitmouth runs. */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { reasonOf } from './reason.js';

export interface ConfigFile {
  readonly values: Readonly<Record<string, string | undefined>>;
  /** What is wrong with the file itself. */
  readonly problems: readonly string[];
}

/** Nothing, a comment, or NAME=VALUE. Node passes over all other lines without a word. */
const LINE = /^\s*(?:#.*|(?:export\s+)?[A-Za-z_]\w*\s*=.*)?$/;

export function readConfigFile(path: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return { values: {}, problems: [`${path} can't be read (${reasonOf(error)})`] };
  }
  const lines = text.split(/\r?\n/);
  const wrong = lines.flatMap((line, index) => (LINE.test(line) ? [] : [index + 1]));
  const problems = wrong.map((line) => `${path}, line ${line}: is neither NAME=VALUE nor a comment`);
  return { values: parseEnv(lines.filter((line) => LINE.test(line)).join('\n')), problems };
}
