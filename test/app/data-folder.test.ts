/** The data folder, made with all that is missing above it, or not at all. */
import { existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { dataFolderMode, makeDataFolder } from '../../src/app/data-folder.js';
import { temporaryFolder } from '../support/temporary.js';

const onLinux = process.platform === 'linux' ? test : test.skip;

describe('the data folder', () => {
  test('is made with those above it, for nobody else to list, and nothing is left in it', () => {
    const top = temporaryFolder('folders');
    const dataFolder = join(top, 'a', 'b');
    makeDataFolder({ dataFolder });
    makeDataFolder({ dataFolder });
    const modes = [join(top, 'a'), dataFolder].map((folder) => statSync(folder).mode & 0o777);
    expect(modes).toEqual([dataFolderMode(), dataFolderMode()]);
    expect(readdirSync(dataFolder)).toEqual([]);
  });

  test('may lie behind a link, and not below a file', () => {
    const top = temporaryFolder('folders');
    writeFileSync(join(top, 'file'), '');
    symlinkSync('.', join(top, 'link'));
    makeDataFolder({ dataFolder: join(top, 'link', 'data') });
    expect(existsSync(join(top, 'data'))).toBe(true);
    for (const path of ['file', 'file/data']) {
      expect(() => makeDataFolder({ dataFolder: join(top, path) })).toThrow(/can't be made or written by this user/);
    }
  });

  // By mkdirSync(path, { recursive: true }) this would not end.
  onLinux('can not be one of /proc, nor below it, which is known at once', () => {
    for (const dataFolder of ['/proc', '/proc/nope', '/proc/nope/below']) {
      const words = new RegExp(
        `^the data folder ${dataFolder} can't be made or written by this user .*(?:ENOENT|EACCES)`,
      );
      expect(() => makeDataFolder({ dataFolder })).toThrow(words);
    }
  });
});
