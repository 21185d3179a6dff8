import { lchown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const FOLDERS = ['objects', 'objects/info', 'objects/pack', 'refs', 'refs/heads', 'refs/tags'];

/** Makes a bare repository without any ref, as `git init --bare` would with a template of nothing. */
export async function layOut(
  repository: string,
  config: string,
  branch: string,
  owner: Owner | undefined,
): Promise<void> {
  const made = [repository];
  await mkdir(repository, { mode: 0o700 });
  for (const folder of FOLDERS) {
    made.push(join(repository, folder));
    await mkdir(join(repository, folder), { mode: 0o700 });
  }
  for (const [name, text] of [
    ['HEAD', headText(branch)],
    ['config', config],
  ] as const) {
    made.push(join(repository, name));
    await writeFile(join(repository, name), text, { mode: 0o600, flag: 'wx', flush: true });
  }
  if (owner) for (const path of made) await lchown(path, owner.uid, owner.gid);
}

export function headText(branch: string): string {
  return `ref: refs/heads/${branch}\n`;
}
