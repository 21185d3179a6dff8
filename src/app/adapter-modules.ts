/** GITMOUTH_ADAPTERS: files and packages of an operator's own, found from the working directory and imported. */
import { setTimeout as realTime } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { ContainerModule } from 'inversify';
import { locateAdapter } from './adapter-location.js';
import { ConfigError } from './config.js';
import { reasonOf } from './reason.js';

/** A module that waits for ever while it loads would otherwise be a start that says nothing. */
const IMPORT_LIMIT_MS = 30_000;

/** One entry of GITMOUTH_ADAPTERS, imported. */
export interface Adapter {
  /** As it is written in the setting. */
  readonly name: string;
  readonly modules: readonly ContainerModule[];
}

/**
 * @param folder that relative paths, and packages, are looked for from.
 * @throws ConfigError with the problems of all of them.
 */
export async function importAdapters(
  names: readonly string[],
  folder = process.cwd(),
  limitMs = IMPORT_LIMIT_MS,
): Promise<readonly Adapter[]> {
  const adapters: Adapter[] = [];
  const problems: string[] = [];
  for (const name of names) {
    try {
      const exported = await importWithin(locateAdapter(name, folder), limitMs);
      adapters.push({ name, modules: modulesOf(exported) });
    } catch (error) {
      problems.push(adapterProblem(name, reasonOf(error)));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return adapters;
}

/** How every problem with an adapter begins. */
export function adapterProblem(name: string, reason: string): string {
  return `GITMOUTH_ADAPTERS: ${name} ${reason}`;
}

async function importWithin(file: string, limitMs: number): Promise<unknown> {
  const over = new AbortController();
  const late = realTime(limitMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`has not loaded within ${limitMs / 1000} s: is there an await in it that does not end?`);
  });
  late.catch(() => undefined);
  const imported = import(pathToFileURL(file).href).catch((error: unknown) => {
    throw new Error(`can't be loaded: ${reasonOf(error)}`, { cause: error });
  });
  try {
    return await Promise.race([imported, late]);
  } finally {
    over.abort();
  }
}

function modulesOf(namespace: unknown): readonly ContainerModule[] {
  const exported = defaultOf(defaultOf(namespace), true);
  const modules: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
  if (modules.length > 0 && modules.every(isContainerModule)) return modules;
  const found = exported === undefined ? 'it has no default export' : `its default export is ${kindOf(exported)}`;
  throw new Error(`exports no ContainerModule of inversify: export one, or an array of them, as default (${found})`);
}

/** @param onlyOfCompiled for CommonJS that was compiled from modules: its exports are the default, and hold the real one. */
function defaultOf(exported: unknown, onlyOfCompiled = false): unknown {
  if (typeof exported !== 'object' || exported === null) return onlyOfCompiled ? exported : undefined;
  if (onlyOfCompiled && !('__esModule' in exported)) return exported;
  return 'default' in exported ? exported.default : undefined;
}

/** By its shape: an adapter may have an installation of inversify of its own, whose classes are not ours. */
function isContainerModule(value: unknown): value is ContainerModule {
  if (typeof value !== 'object' || value === null) return false;
  return 'id' in value && typeof value.id === 'number' && 'load' in value && typeof value.load === 'function';
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array with something else in it';
  if (typeof value === 'function') return 'a function or class, which nobody calls';
  return typeof value === 'object' ? 'another object' : `a ${typeof value}`;
}
