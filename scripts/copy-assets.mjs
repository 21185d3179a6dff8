// After the compiler: puts what is no TypeScript into dist, and makes the program executable.
import { chmodSync, cpSync, existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

for (const folder of ['adapters/process/hooks', 'adapters/process/etc']) {
  const from = join(root, 'src', folder);
  const to = join(root, 'dist', folder);
  cpSync(from, to, { recursive: true });
  // Dynos run as another user: they must be able to read these, whatever umask the checkout was made with.
  chmodSync(to, 0o755);
  for (const name of readdirSync(from)) {
    const isExecutable = (statSync(join(from, name)).mode & 0o100) !== 0;
    chmodSync(join(to, name), isExecutable ? 0o755 : 0o644);
  }
}

const program = join(root, 'dist/app/main.js');
if (existsSync(program)) chmodSync(program, 0o755);
