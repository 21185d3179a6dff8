import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

interface Package {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const LOCK_FILE = join(import.meta.dirname, '../../package-lock.json');

function missingOptional(packages: Readonly<Record<string, Package>>): readonly string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  );
}

// npm install on one platform leaves the native parts of the others out, and npm ci then refuses the lock file.
test('the lock file names the native parts for every platform, so that npm ci works on each', () => {
  const { packages } = JSON.parse(readFileSync(LOCK_FILE, 'utf8')) as { packages: Record<string, Package> };
  expect(Object.keys(packages).length).toBeGreaterThan(100);
  expect(missingOptional(packages)).toEqual([]);
  const { 'node_modules/@swc/core-darwin-arm64': _left, ...others } = packages;
  expect(missingOptional(others)).toEqual(['@swc/core-darwin-arm64']);
});
