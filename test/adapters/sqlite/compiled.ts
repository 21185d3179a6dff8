/** The sources as JavaScript, for processes that run beside the tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from '@swc/core';
import { temporaryFolder } from '../../support/temporary.js';

const ROOT = join(import.meta.dirname, '../../..');
const PARTS = ['domain', 'ports', 'adapters/leases', 'adapters/sqlite', 'adapters/system'];

export function compiledSources(): string {
  const folder = temporaryFolder('compiled');
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const part of PARTS) {
    for (const name of readdirSync(join(ROOT, 'src', part), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const target = join(folder, part, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, compiled(join(ROOT, 'src', part, name)));
    }
  }
  return folder;
}

function compiled(file: string): string {
  return transformSync(readFileSync(file, 'utf8'), {
    swcrc: false,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  }).code;
}

/** Another process, running `script` in the folder of the compiled sources. */
export class OtherProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  said = '';

  constructor(folder: string, script: string) {
    this.child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
