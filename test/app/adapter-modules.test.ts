/** GITMOUTH_ADAPTERS with real modules in temporary folders. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { importAdapters } from '../../src/app/adapter-modules.js';
import { ConfigError } from '../../src/app/config.js';
import { temporaryFolder } from '../support/temporary.js';

const MODULES = join(import.meta.dirname, '../../node_modules');

const A_MODULE = "new ContainerModule(({ rebind }) => rebind(Symbol.for('gitmouth.clock')).toConstantValue({}))";
const FINE = `import { ContainerModule } from 'inversify';\nexport default ${A_MODULE};\n`;

/** A folder with these files, where inversify can be imported. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder('adapters');
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['inversify', '@inversifyjs'])
    symlinkSync(join(MODULES, name), join(folder, 'node_modules', name));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function packageOf(name: string, manifest: object, files: Readonly<Record<string, string>>) {
  const home = `node_modules/${name}`;
  return {
    [`${home}/package.json`]: JSON.stringify({ name, ...manifest }),
    ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`${home}/${path}`, text])),
  };
}

async function problemsOf(folder: string, ...names: string[]): Promise<readonly string[]> {
  const outcome: unknown = await importAdapters(names, folder, 1_000).catch((error: unknown) => error);
  if (outcome instanceof ConfigError) return outcome.problems;
  throw new Error('it loaded, or failed otherwise', { cause: outcome });
}

describe('an adapter is found', () => {
  test.each([
    ['./mine.mjs', { 'mine.mjs': FINE }],
    ['./deeper/mine.mjs', { 'deeper/mine.mjs': FINE }],
    ['gitmouth-x', packageOf('gitmouth-x', { type: 'module', main: 'lib/a.js' }, { 'lib/a.js': FINE })],
    ['gitmouth-x', packageOf('gitmouth-x', { type: 'module' }, { 'index.js': FINE })],
    ['@acme/gitmouth-x', packageOf('@acme/gitmouth-x', { type: 'module', exports: './a.js' }, { 'a.js': FINE })],
    [
      '@acme/gitmouth-x',
      packageOf(
        '@acme/gitmouth-x',
        { exports: { '.': { types: './a.d.ts', require: './no.cjs', import: './a.mjs' } } },
        { 'a.mjs': FINE, 'no.cjs': "throw new Error('required')" },
      ),
    ],
    [
      '@acme/gitmouth-x/keys',
      packageOf('@acme/gitmouth-x', { exports: { './keys': { node: { default: './k.mjs' } } } }, { 'k.mjs': FINE }),
    ],
    ['gitmouth-x/lib/a.mjs', packageOf('gitmouth-x', {}, { 'lib/a.mjs': FINE })],
  ])('as %s, with one module', async (name, files) => {
    const [adapter] = await importAdapters([name], folderOf(files));
    expect(adapter).toMatchObject({ name, modules: [{ id: expect.any(Number) }] });
  });

  test('by its whole path, and a package in a folder above', async () => {
    const folder = folderOf({ 'mine.mjs': FINE, 'deep/er/x': '', ...packageOf('x', {}, { 'index.mjs': FINE }) });
    writeFileSync(join(folder, 'node_modules/x/package.json'), '{"exports":"./index.mjs"}');
    const adapters = await importAdapters([join(folder, 'mine.mjs'), 'x'], join(folder, 'deep/er'));
    expect(adapters.map(({ modules }) => modules.length)).toEqual([1, 1]);
  });

  test('as several modules in an array, and as CommonJS that was compiled from modules', async () => {
    const folder = folderOf({
      'many.mjs': `import { ContainerModule } from 'inversify';\nexport default [${A_MODULE}, ${A_MODULE}];\n`,
      'old.cjs':
        "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = { id: 1, load() {} };\n",
      'older.cjs': 'module.exports = { id: 2, load() {} };\n',
    });
    const adapters = await importAdapters(['./many.mjs', './old.cjs', './older.cjs'], folder);
    expect(adapters.map(({ modules }) => modules.length)).toEqual([2, 1, 1]);
  });
});

describe('an adapter that can not be had is named, with the reason', () => {
  const folder = folderOf({
    'named.mjs': "import { ContainerModule } from 'inversify';\nexport const mine = new ContainerModule(() => {});\n",
    'class.mjs': 'export default class Mine { load() {} }\n',
    'mixed.mjs': 'export default [{ id: 1, load() {} }, {}];\n',
    'empty.mjs': 'export default [];\n',
    'object.mjs': 'export default { load() {} };\n',
    'null.mjs': 'export default null;\n',
    'throws.mjs': "throw new Error('set API_URL first');\n",
    'mistake.mjs': 'const nothing = undefined;\nexport default nothing.load;\n',
    'needs.mjs': "import 'no-such-package';\n",
    'waits.mjs': 'await new Promise(() => {});\nexport default 1;\n',
    'clean.mjs': "throw new Error('a\\u001b[2J\\nb');\n",
    'folder/x': '',
    'bare.js': '',
    ...packageOf('@acme/closed', { exports: { './other': './x.js' } }, {}),
    ...packageOf('@acme/lost', { exports: './lost.js' }, {}),
  });

  test.each([
    ['./none.mjs', /^is not there: there is no file \/.*\/none\.mjs$/],
    ['./folder', /^is no file: name the module in \/.*\/folder$/],
    ['@acme/none', /^is not there: there is no package @acme\/none in node_modules .*\(npm install @acme\/none\)$/],
    ['bare.js', /^is not there: there is no package bare\.js .*; write \.\/bare\.js for the file$/],
    ['@acme/closed', /^is not exported by the package @acme\/closed: see "exports" in \/.*closed$/],
    ['@acme/lost', /^is not there: there is no file \/.*\/@acme\/lost\/lost\.js$/],
    ['./named.mjs', /^exports no ContainerModule of inversify: export one.* as default \(it has no default export\)$/],
    ['./class.mjs', /^exports no ContainerModule .*\(its default export is a function or class, which nobody calls\)$/],
    ['./mixed.mjs', /^exports no ContainerModule .*an array with something else in it\)$/],
    ['./empty.mjs', /^exports no ContainerModule .*an empty array\)$/],
    ['./object.mjs', /^exports no ContainerModule .*another object\)$/],
    ['./null.mjs', /^exports no ContainerModule .*null\)$/],
    ['./throws.mjs', /^can't be loaded: set API_URL first$/],
    ['./mistake.mjs', /^can't be loaded: Cannot read properties of undefined .*\(.*\/mistake\.mjs:2:24\)$/],
    ['./needs.mjs', /^can't be loaded: .*no-such-package/],
    ['./waits.mjs', /^has not loaded within 1 s: is there an await in it that does not end\?$/],
    ['./clean.mjs', /^can't be loaded: a\\u001b\[2J\\u000ab$/],
  ])('%s', async (name, reason) => {
    const [problem = '', ...more] = await problemsOf(folder, name);
    expect(more).toEqual([]);
    const start = `GITMOUTH_ADAPTERS: ${name} `;
    expect(problem.slice(0, start.length)).toBe(start);
    expect(problem.slice(start.length)).toMatch(reason);
  });

  test('together with all others, in one message', async () => {
    const problems = await problemsOf(folder, './none.mjs', './throws.mjs', '@acme/none');
    expect(problems.map((problem) => problem.split(' ')[1])).toEqual(['./none.mjs', './throws.mjs', '@acme/none']);
  });
});
