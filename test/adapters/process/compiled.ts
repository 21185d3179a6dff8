/** The adapter as plain JavaScript, for programs of their own that a test starts and kills. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from '@swc/core';
import { temporaryFolder } from '../../support/temporary.js';

const SOURCES = join(import.meta.dirname, '../../../src');

/** Folder of the compiled `src/`, as far as the adapter needs it. */
export function compiledSources(): string {
  const folder = temporaryFolder('compiled');
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const part of ['domain', 'ports', 'adapters/process']) compile(part, folder);
  for (const assets of ['hooks', 'etc'])
    cpSync(join(SOURCES, 'adapters/process', assets), join(folder, 'adapters/process', assets), { recursive: true });
  return folder;
}

function compile(part: string, folder: string): void {
  const names = readdirSync(join(SOURCES, part), { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((file) => file.endsWith('.ts'))) {
    const { code } = transformSync(readFileSync(join(SOURCES, part, name), 'utf8'), {
      swcrc: false,
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    const target = join(folder, part, name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code);
  }
}
