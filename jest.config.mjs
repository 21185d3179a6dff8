/** Tests run as ESM TypeScript, stripped by swc; types are checked apart (`npm run typecheck`). */

const SECOND_MS = 1_000;

/** What a project needs beside its name and where its tests lie. */
const shared = {
  rootDir: import.meta.dirname,
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  testEnvironment: '<rootDir>/test/support/environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  // Sources import each other as `./x.js`, which is what the compiler makes of `./x.ts`.
  moduleNameMapper: { '^(\\.{1,2}/(?!.*node_modules/).*)\\.js$': ['$1.ts', '$1.js'] },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/data/'],
  testTimeout: 30 * SECOND_MS,
};

export function project(displayName, folder, more = {}) {
  return { ...shared, displayName, testMatch: [`<rootDir>/test/${folder}/**/*.test.ts`], ...more };
}

export default {
  maxWorkers: 2,
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  // Setting it makes Jest use worker processes always: Jest's own timers in the main one would blur the leak guard.
  workerIdleMemoryLimit: '2GB',
  reporters: ['default', '<rootDir>/test/support/reporter.mjs'],
  projects: [
    project('domain', 'domain'),
    project('adapters', 'adapters'),
    project('app', 'app'),
    project('support', 'support', { testTimeout: 180 * SECOND_MS }),
    project('architecture', 'architecture', { testTimeout: 180 * SECOND_MS }),
    project('e2e', 'e2e', { testTimeout: 180 * SECOND_MS }),
    project('clients', 'clients', { testTimeout: 180 * SECOND_MS }),
  ],
};
