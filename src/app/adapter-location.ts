/** Which file an entry of GITMOUTH_ADAPTERS means. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

/** What a package may say its modules are for; Node knows the first two, and everybody the last. */
const CONDITIONS = ['node', 'import', 'default'];

/** @throws Error whose message follows the entry's name, and says what to do. */
export function locateAdapter(name: string, folder: string): string {
  return /^\.{0,2}\//.test(name) ? locateFile(resolve(folder, name)) : locatePackage(name, folder);
}

function locateFile(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new Error(`is not there: there is no file ${path}`);
  if (!found.isFile()) throw new Error(`is no file: name the module in ${path}`);
  return path;
}

function locatePackage(entry: string, folder: string): string {
  const [, name = entry, rest = ''] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(entry) ?? [];
  const home = packageFolder(name, folder);
  if (home === undefined) {
    const hint = existsSync(join(folder, entry)) ? `write ./${entry} for the file` : `install it (npm install ${name})`;
    throw new Error(`is not there: there is no package ${name} in node_modules of ${folder} or above it; ${hint}`);
  }
  const exported = exportsOf(home);
  // Without exports the old rules hold, which require knows best: `main`, index.js, files by their path.
  if (exported === undefined) return createRequire(join(home, 'package.json')).resolve(`${home}${rest}`);
  const target = targetOf(exported, `.${rest}`);
  if (target === undefined) throw new Error(`is not exported by the package ${name}: see "exports" in ${home}`);
  return locateFile(join(home, target));
}

function packageFolder(name: string, folder: string): string | undefined {
  const home = join(folder, 'node_modules', name);
  if (existsSync(join(home, 'package.json'))) return home;
  return dirname(folder) === folder ? undefined : packageFolder(name, dirname(folder));
}

function exportsOf(home: string): unknown {
  const manifest: unknown = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'exports' in manifest ? manifest.exports : undefined;
}

/** Node's rules for `exports`, but for patterns: whoever exports an adapter names it. */
function targetOf(exported: unknown, path: string): string | undefined {
  if (!isRecord(exported) || !Object.keys(exported).some((key) => key.startsWith('.'))) {
    return path === '.' ? chosen(exported) : undefined;
  }
  return chosen(exported[path]);
}

function chosen(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (Array.isArray(target)) return target.map(chosen).find((one) => one !== undefined);
  if (!isRecord(target)) return undefined;
  const conditions = Object.keys(target).filter((condition) => CONDITIONS.includes(condition));
  return conditions.map((condition) => chosen(target[condition])).find((one) => one !== undefined);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
