/** A project of somebody who writes adapters for gitmouth. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary.js';

const ROOT = join(import.meta.dirname, '../..');

/** A folder of a project that has gitmouth installed, with these files. */
export function projectWith(files: Readonly<Record<string, string>>): string {
  const project = temporaryFolder('project');
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(ROOT, join(project, 'node_modules/gitmouth'));
  symlinkSync(join(ROOT, 'node_modules/inversify'), join(project, 'node_modules/inversify'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  return project;
}
