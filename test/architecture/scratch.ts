/** A copy of the source tree to plant violations in, with the same tools and rules. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import { temporaryFolder } from '../support/temporary.js';

export const ROOT = join(import.meta.dirname, '../..');

const RULES = ['package.json', 'tsconfig.base.json', 'tsconfig.json', '.dependency-cruiser.cjs', 'eslint.config.mjs'];

/** @param planted text by path, written over what was copied. */
export function scratchTree(folders: readonly string[], planted: Readonly<Record<string, string>>): string {
  const tree = temporaryFolder('tree');
  for (const path of [...RULES, ...folders]) cpSync(join(ROOT, path), join(tree, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  for (const [path, source] of Object.entries(planted)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), source);
  }
  return tree;
}

/** Runs a tool of the project's own node_modules in a tree. */
export async function runTool(tree: string, script: string, ...options: readonly string[]) {
  const tool = spawn(process.execPath, [join(ROOT, 'node_modules', script), ...options], {
    cwd: tree,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(tool.stdout),
    text(tool.stderr),
    once(tool, 'close') as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}
